// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <linux/capability.h>

#include <algorithm>
#include <array>

namespace vigia::daemon {
namespace {

// What each is for: SYS_ADMIN fanotify marks and the children's namespaces; DAC_READ_SEARCH opening
// by handle; DAC_OVERRIDE, FOWNER, CHOWN, FSETID, SETFCAP taking files away and bringing all of
// them back; LEASE the no-writer probe on files of others; SETUID, SETGID, SETPCAP, SYS_CHROOT the
// children's way down; KILL ending workers of another user, SYS_NICE making them wait for others'
// work; SYS_PTRACE mounts of other namespaces.
constexpr std::array kNeeded{CAP_SYS_ADMIN,
                             CAP_DAC_READ_SEARCH,
                             CAP_DAC_OVERRIDE,
                             CAP_FOWNER,
                             CAP_CHOWN,
                             CAP_FSETID,
                             CAP_SETFCAP,
                             CAP_LEASE,
                             CAP_SETUID,
                             CAP_SETGID,
                             CAP_SETPCAP,
                             CAP_SYS_CHROOT,
                             CAP_KILL,
                             CAP_SYS_NICE,
                             CAP_SYS_PTRACE};

// For the programs in the kernel, where they are held: BPF, PERFMON, NET_ADMIN; SYS_RESOURCE for
// the limit of locked memory of kernels before 5.11. What is missing of them is told by fault 9
// from what the kernel really refused, as SYS_ADMIN includes the first two.
constexpr std::array kUseful{CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_RESOURCE};

}  // namespace

Result<std::vector<std::string>> bound_capabilities() {
    if (::capng_get_caps_process() != 0) {
        return fail(std::errc::operation_not_permitted, "read own capabilities");
    }
    std::vector<std::string> missing;
    std::vector<unsigned> keep;
    for (const int capability : kNeeded) {
        const auto number = static_cast<unsigned>(capability);
        if (::capng_have_capability(CAPNG_EFFECTIVE, number) != 0) {
            keep.push_back(number);
        } else {
            missing.emplace_back("CAP_" + std::string(::capng_capability_to_name(number)));
        }
    }
    for (const int capability : kUseful) {
        const auto number = static_cast<unsigned>(capability);
        if (::capng_have_capability(CAPNG_EFFECTIVE, number) != 0) {
            keep.push_back(number);
        }
    }
    std::ranges::for_each(missing, [](std::string& name) {
        std::ranges::transform(
            name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    });
    ::capng_clear(CAPNG_SELECT_ALL);
    constexpr unsigned kSets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;
    // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): a set of bits
    constexpr auto kTypes = static_cast<capng_type_t>(kSets);
    for (const unsigned number : keep) {
        ::capng_update(CAPNG_ADD, kTypes, number);
    }
    // The bounding set can only be lowered by who holds SETPCAP; what we hold ourselves always.
    if (::capng_apply(CAPNG_SELECT_ALL) != 0 && ::capng_apply(CAPNG_SELECT_CAPS) != 0) {
        return fail(std::errc::operation_not_permitted, "give up capabilities");
    }
    return missing;
}

}  // namespace vigia::daemon
