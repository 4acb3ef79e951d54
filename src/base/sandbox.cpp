// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sandbox.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace vigia::sandbox {
namespace {

constexpr int kCapabilities = 64;  // the widest set the system calls know

Result<> empty_capability_sets() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    if (::syscall(SYS_capset, &header, none.data()) < 0) {
        return fail_errno("drop capabilities");
    }
    return {};
}

Result<> verify_no_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> held{};
    if (::syscall(SYS_capget, &header, held.data()) < 0) {
        return fail_errno("read capabilities");
    }
    const bool any = std::ranges::any_of(held, [](const auto& set) {
        return (set.effective | set.permitted | set.inheritable) != 0;
    });
    if (any) {
        return fail(std::errc::operation_not_permitted, "capabilities are left");
    }
    return {};
}

// What exec could give back. Only CAP_SETPCAP may empty it; without that, no_new_privs has to do.
Result<> empty_bounding_set() {
    for (int number = 0; number < kCapabilities; ++number) {
        if (::prctl(PR_CAPBSET_READ, number) != 1) {
            continue;
        }
        if (::prctl(PR_CAPBSET_DROP, number) < 0) {
            if (errno == EPERM && ::geteuid() != 0) {
                return {};
            }
            return fail_errno("empty the capability bounding set");
        }
    }
    (void)::prctl(PR_SET_SECUREBITS,
                  SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                      SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
    return {};
}

Result<> become(const User& user) {
    if (::setgroups(0, nullptr) < 0) {
        return fail_errno("drop supplementary groups");
    }
    if (::setresgid(user.gid, user.gid, user.gid) < 0) {
        return fail_errno("change group");
    }
    if (::setresuid(user.uid, user.uid, user.uid) < 0) {
        return fail_errno("change user");
    }
    return {};
}

Result<> verify_no_way_back(const User& user) {
    if (user.uid != 0 && (::setresuid(0, 0, 0) == 0 || ::seteuid(0) == 0)) {
        return fail(std::errc::operation_not_permitted, "root could be had again");
    }
    if (user.gid != 0 && (::setresgid(0, 0, 0) == 0 || ::setegid(0) == 0)) {
        return fail(std::errc::operation_not_permitted, "group root could be had again");
    }
    return {};
}

}  // namespace

Result<std::optional<User>> find_user(const std::string& name) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    const int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    // NSS says "not there" in several ways (see getpwnam(3)).
    if (error != 0 && error != ENOENT && error != ESRCH && error != EBADF && error != EPERM) {
        errno = error;
        return fail_errno("look up user " + name);
    }
    if (found == nullptr) {
        return std::optional<User>{};
    }
    return User{.uid = found->pw_uid, .gid = found->pw_gid};
}

Result<> forbid_inspection() {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_CORE, &none) < 0) {
        return fail_errno("forbid core dumps");
    }
    if (::prctl(PR_SET_DUMPABLE, 0) < 0) {
        return fail_errno("forbid inspection");
    }
    return {};
}

Result<> drop_privileges(const std::optional<User>& user) {
    (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    TRY(empty_bounding_set());
    if (user && ::geteuid() == 0) {
        TRY(become(*user));
        TRY(verify_no_way_back(*user));
    } else if (::geteuid() == 0 && ::setgroups(0, nullptr) < 0) {
        return fail_errno("drop supplementary groups");
    }
    TRY(empty_capability_sets());
    TRY(verify_no_capabilities());
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return fail_errno("forbid new privileges");
    }
    return forbid_inspection();
}

Result<> die_with(pid_t parent) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        return fail_errno("die with the parent");
    }
    if (::getppid() != parent) {
        return fail(std::errc::no_such_process, "the parent has ended");
    }
    return {};
}

}  // namespace vigia::sandbox
