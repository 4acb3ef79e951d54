// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/sandbox.h"
#include "base/unique_fd.h"

namespace vigia::sandbox {
namespace {

// Newer than the headers of the build machine: linux/landlock.h of 6.2, 6.7, 6.10 and 6.12.
constexpr std::uint64_t kTruncate = 1ULL << 14U;
constexpr std::uint64_t kIoctlDevice = 1ULL << 15U;
constexpr std::uint64_t kBindTcp = 1ULL << 0U;
constexpr std::uint64_t kConnectTcp = 1ULL << 1U;
constexpr std::uint64_t kScopeAbstractSocket = 1ULL << 0U;
constexpr std::uint64_t kScopeSignal = 1ULL << 1U;

struct RulesetAttributes {
    std::uint64_t files = 0;
    std::uint64_t network = 0;  // ABI 4
    std::uint64_t scoped = 0;   // ABI 6
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                 kTruncate;

constexpr std::uint64_t kFilesOfAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1;

RulesetAttributes handled_by(int abi) {
    RulesetAttributes handled{.files = kFilesOfAbi1};
    if (abi >= 2) {
        handled.files |= LANDLOCK_ACCESS_FS_REFER;
    }
    if (abi >= 3) {
        handled.files |= kTruncate;
    }
    if (abi >= 4) {
        handled.network = kBindTcp | kConnectTcp;
    }
    if (abi >= 5) {
        handled.files |= kIoctlDevice;
    }
    if (abi >= 6) {
        handled.scoped = kScopeAbstractSocket | kScopeSignal;
    }
    return handled;
}

// A kernel takes a shorter structure than it knows, but not a longer one with anything in it.
std::size_t size_for(int abi) {
    constexpr int kWithNetwork = 4;
    constexpr int kWithScopes = 6;
    if (abi >= kWithScopes) {
        return sizeof(RulesetAttributes);
    }
    return abi >= kWithNetwork ? offsetof(RulesetAttributes, scoped)
                               : offsetof(RulesetAttributes, network);
}

}  // namespace

Result<int> restrict_files(std::span<const FileRight> rights) {
    const auto abi = static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
    if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) {
        return 0;
    }
    if (abi < 0) {
        return fail_errno("ask for Landlock");
    }
    const auto handled = handled_by(abi);
    const UniqueFd rules{
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size_for(abi), 0))};
    if (!rules) {
        return fail_errno("make a Landlock ruleset");
    }
    for (const auto& right : rights) {
        landlock_path_beneath_attr rule{};
        rule.allowed_access = (right.writable ? kWrite : kRead) & handled.files;
        rule.parent_fd = right.descriptor;
        if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) <
            0) {
            return fail_errno("add a Landlock rule");
        }
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return fail_errno("forbid new privileges");
    }
    if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) < 0) {
        return fail_errno("enforce Landlock");
    }
    return abi;
}

}  // namespace vigia::sandbox
