// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <memory>
#include <type_traits>

#include "base/sandbox.h"

namespace vigia::sandbox {
namespace {

// Allowed whatever the arguments.
constexpr auto kPlain = std::to_array<std::string_view>({
    // clang-format off
    // its end and its signals
    "exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    "restart_syscall", "futex", "set_robust_list", "sched_yield",
    // messages and waiting
    "recvmsg", "sendmsg", "poll", "ppoll", "nanosleep", "clock_nanosleep",
    // memory
    "brk", "munmap", "mremap", "madvise",
    // open files, without anything that changes one that the daemon has handed over
    "read", "readv", "pread64", "preadv", "write", "writev", "lseek", "close", "fstat",
    "newfstatat", "fadvise64", "dup",
    // what it may know
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrandom",
    "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getrusage", "uname",
    // clang-format on
});

using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>,
                               decltype([](scmp_filter_ctx filter) { ::seccomp_release(filter); })>;

// libseccomp gives errors as negative numbers and leaves errno alone.
Result<> check(int code, std::string doing) {
    if (code < 0) {
        errno = -code;
        return fail_errno(std::move(doing));
    }
    return {};
}

Result<> allow(const Filter& filter, const SystemCall& call) {
    const std::string name(call.name);
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    if (number < 0) {
        return {};
    }
    std::vector<scmp_arg_cmp> comparisons;
    comparisons.reserve(call.conditions.size());
    for (const auto& condition : call.conditions) {
        comparisons.push_back({.arg = condition.index,
                               .op = SCMP_CMP_MASKED_EQ,
                               .datum_a = condition.mask,
                               .datum_b = condition.value});
    }
    return check(::seccomp_rule_add_array(filter.get(),
                                          SCMP_ACT_ALLOW,
                                          number,
                                          static_cast<unsigned>(comparisons.size()),
                                          comparisons.data()),
                 fmt::format("allow system call {}", name));
}

}  // namespace

std::vector<SystemCall> common_system_calls() {
    std::vector<SystemCall> calls;
    calls.reserve(kPlain.size());
    for (const auto name : kPlain) {
        calls.push_back({.name = name});
    }
    // Code comes from the disk at the start and from nowhere afterwards.
    calls.push_back({.name = "mmap", .conditions = {{.index = 2, .mask = PROT_EXEC, .value = 0}}});
    calls.push_back(
        {.name = "mprotect", .conditions = {{.index = 2, .mask = PROT_EXEC, .value = 0}}});
    // No locks, leases, seals, owners of signals, and no flags of descriptions shared with others.
    for (const int command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL}) {
        calls.push_back(
            {.name = "fcntl",
             .conditions = {
                 {.index = 1, .mask = kWholeInt, .value = static_cast<std::uint64_t>(command)}}});
    }
    return calls;
}

Result<> restrict_system_calls(std::span<const SystemCall> allowed) {
    const Filter filter{::seccomp_init(SCMP_ACT_ERRNO(EPERM))};
    if (!filter) {
        return fail(std::errc::not_enough_memory, "make a system call filter");
    }
    TRY(check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
              "refuse foreign architectures"));
    for (const auto& call : allowed) {
        TRY(allow(filter, call));
    }
    return check(::seccomp_load(filter.get()), "enforce the system call filter");
}

}  // namespace vigia::sandbox
