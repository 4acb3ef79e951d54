// SPDX-License-Identifier: GPL-2.0-or-later
#ifdef VIGIA_TEST_HOOKS

#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "base/escape_proof.h"

namespace vigia::escape {
namespace {

constexpr pid_t kInit = 1;
constexpr int kWholeGroup = 0;
constexpr std::uintptr_t kUnreadable = 1;  // an address

template <typename... Arguments>
bool call(long number, Arguments... arguments) {
    return ::syscall(number, arguments...) >= 0;
}

// For those who have become two.
bool forks(long pid) {
    if (pid == 0) {
        ::_exit(0);
    }
    if (pid > 0) {
        ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    }
    return pid > 0;
}

bool starts_a_thread(const Target& /*target*/) {
    pthread_t thread{};
    if (::pthread_create(&thread, nullptr, [](void* argument) { return argument; }, nullptr) != 0) {
        return false;
    }
    ::pthread_join(thread, nullptr);
    return true;
}

// With an argument list the kernel cannot read: EFAULT says that it got as far as that, and we live
// to tell.
bool executes(int folder, const char* path, int flags) {
    ::syscall(SYS_execveat, folder, path, kUnreadable, nullptr, flags);
    return errno == EFAULT;
}

bool executes_by_path(const Target& /*target*/) {
    ::syscall(SYS_execve, "/bin/true", kUnreadable, nullptr);
    return errno == EFAULT;
}

// The parent was forked from the same image: what is here is there as well.
bool reaches_into_the_parent(long number) {
    static const char kMark = 'v';
    char copy = kMark;
    const iovec here{.iov_base = &copy, .iov_len = 1};
    const iovec there{.iov_base = const_cast<char*>(&kMark), .iov_len = 1};
    return call(number, ::getppid(), &here, 1L, &there, 1L, 0L);
}

bool signals_by_descriptor(pid_t pid) {
    const long pidfd = ::syscall(SYS_pidfd_open, pid, 0);
    return pidfd >= 0 && call(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0);
}

bool takes_capabilities(const Target& /*target*/) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const std::array<__user_cap_data_struct, 2> all{
        {{.effective = ~0U, .permitted = ~0U, .inheritable = 0},
         {.effective = ~0U, .permitted = ~0U, .inheritable = 0}}};
    return call(SYS_capset, &header, all.data());
}

constexpr auto kAttempts = std::to_array<Attempt>({
    {"fork", [](auto&) { return forks(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
    {"fork_by_clone3",
     [](auto&) {
         clone_args arguments{};
         arguments.exit_signal = SIGCHLD;
         return forks(::syscall(SYS_clone3, &arguments, sizeof arguments));
     }},
    {"thread", starts_a_thread},
    {"execute", executes_by_path},
    {"execute_the_file", [](auto& t) { return executes(t.file, "", AT_EMPTY_PATH); }},
    {"kill_parent", [](auto&) { return ::kill(::getppid(), 0) == 0; }},
    {"kill_init", [](auto&) { return ::kill(kInit, 0) == 0; }},
    {"kill_group", [](auto&) { return ::kill(kWholeGroup, 0) == 0; }},
    {"kill_all", [](auto&) { return ::kill(-1, 0) == 0; }},
    {"kill_self", [](auto&) { return ::kill(::getpid(), 0) == 0; }},
    {"tkill_parent", [](auto&) { return call(SYS_tkill, ::getppid(), 0); }},
    {"tgkill_parent", [](auto&) { return call(SYS_tgkill, ::getppid(), ::getppid(), 0); }},
    {"queue_signal",
     [](auto&) {
         siginfo_t info{};
         info.si_code = SI_QUEUE;
         return call(SYS_rt_sigqueueinfo, ::getppid(), 0, &info);
     }},
    {"pidfd_open_parent", [](auto&) { return call(SYS_pidfd_open, ::getppid(), 0); }},
    {"pidfd_signal_parent", [](auto&) { return signals_by_descriptor(::getppid()); }},
    {"pidfd_signal_init", [](auto&) { return signals_by_descriptor(kInit); }},
    {"ptrace_parent", [](auto&) { return call(SYS_ptrace, PTRACE_SEIZE, ::getppid(), 0, 0); }},
    {"ptrace_me", [](auto&) { return call(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0); }},
    {"read_parent_memory", [](auto&) { return reaches_into_the_parent(SYS_process_vm_readv); }},
    {"write_parent_memory", [](auto&) { return reaches_into_the_parent(SYS_process_vm_writev); }},
    {"compare_with_parent", [](auto&) { return call(SYS_kcmp, ::getpid(), ::getppid(), 1, 0, 0); }},
    {"limits_of_parent",
     [](auto&) {
         rlimit limit{};
         return call(SYS_prlimit64, ::getppid(), RLIMIT_NOFILE, nullptr, &limit);
     }},
    {"raise_own_limit",
     [](auto&) {
         const rlimit limit{.rlim_cur = 1, .rlim_max = 1};
         return ::setrlimit(RLIMIT_MSGQUEUE, &limit) == 0;
     }},
    {"priority_of_parent",
     [](auto&) {
         return ::setpriority(PRIO_PROCESS, static_cast<id_t>(::getppid()), PRIO_MAX - 1) == 0;
     }},
    {"affinity_of_parent",
     [](auto&) {
         cpu_set_t set;
         return ::sched_getaffinity(::getppid(), sizeof set, &set) == 0;
     }},
    {"new_session", [](auto&) { return ::setsid() >= 0; }},
    {"new_group", [](auto&) { return ::setpgid(0, 0) == 0; }},
    {"become_root", [](auto&) { return call(SYS_setuid, 0); }},
    {"become_root_wholly", [](auto&) { return call(SYS_setresuid, 0, 0, 0); }},
    {"become_group_root", [](auto&) { return call(SYS_setresgid, 0, 0, 0); }},
    {"become_root_for_files",
     [](auto&) { return ::syscall(SYS_setfsuid, 0) >= 0 && ::syscall(SYS_setfsuid, -1) == 0; }},
    {"join_groups", [](auto&) { return ::setgroups(0, nullptr) == 0; }},
    {"take_capabilities", takes_capabilities},
    {"keep_capabilities", [](auto&) { return ::prctl(PR_SET_KEEPCAPS, 1) == 0; }},
    {"allow_inspection", [](auto&) { return ::prctl(PR_SET_DUMPABLE, 1) == 0; }},
    {"outlive_parent", [](auto&) { return ::prctl(PR_SET_PDEATHSIG, 0) == 0; }},
    {"new_user_namespace", [](auto&) { return ::unshare(CLONE_NEWUSER) == 0; }},
    {"new_mount_namespace", [](auto&) { return ::unshare(CLONE_NEWNS) == 0; }},
    {"new_files_table", [](auto&) { return ::unshare(CLONE_FILES) == 0; }},
    {"enter_namespace",
     [](auto&) {
         const long pidfd = ::syscall(SYS_pidfd_open, ::getppid(), 0);
         return pidfd >= 0 && ::setns(static_cast<int>(pidfd), CLONE_NEWNET) == 0;
     }},
    {"mount",
     [](auto& t) {
         return !t.own_folder.empty() &&
                ::mount("x", std::string(t.own_folder).c_str(), "tmpfs", 0, nullptr) == 0;
     }},
    {"open_mount_tree", [](auto&) { return ::open_tree(AT_FDCWD, ".", OPEN_TREE_CLOEXEC) >= 0; }},
    {"open_file_system", [](auto&) { return ::fsopen("tmpfs", FSOPEN_CLOEXEC) >= 0; }},
});

}  // namespace

std::span<const Attempt> attempts_on_processes() {
    return kAttempts;
}

}  // namespace vigia::escape

#endif
