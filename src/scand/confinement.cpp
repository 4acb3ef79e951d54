// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/confinement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <csignal>
#include <string_view>

#include "base/files.h"
#include "scand/test_hooks.h"

namespace vigia::scand {
namespace {

constexpr int kWorkerSocket = 3;
constexpr rlim_t kWorkerDescriptors = 64;

// Files within the private folder, as libclamav unpacks into it.
void allow_files(std::vector<sandbox::SystemCall>& calls) {
    constexpr auto kPlain = std::to_array<std::string_view>({"openat",
                                                             "open",
                                                             "unlink",
                                                             "unlinkat",
                                                             "rmdir",
                                                             "getdents64",
                                                             "access",
                                                             "faccessat",
                                                             "faccessat2",
                                                             "stat",
                                                             "lstat",
                                                             "statx",
                                                             "ftruncate",
                                                             "readlink",
                                                             "readlinkat",
                                                             "getcwd",
                                                             "pwrite64",
                                                             "sysinfo"});
    for (const auto name : kPlain) {
        calls.push_back({.name = name});
    }
    // Nobody without CAP_DAC_OVERRIDE could empty a folder that its owner cannot enter.
    calls.push_back({.name = "mkdir", .conditions = {{.index = 1, .mask = 0700, .value = 0700}}});
    calls.push_back({.name = "mkdirat", .conditions = {{.index = 2, .mask = 0700, .value = 0700}}});
    calls.push_back({.name = "sched_getaffinity",
                     .conditions = {{.index = 0, .mask = sandbox::kWholeInt, .value = 0}}});
}

sandbox::Condition argument_is(unsigned index, long value) {
    return {.index = index,
            .mask = sandbox::kWholeInt,
            .value = static_cast<std::uint64_t>(value) & sandbox::kWholeInt};
}

std::vector<sandbox::SystemCall> zygote_system_calls() {
    auto calls = sandbox::common_system_calls();
    allow_files(calls);
    constexpr auto kPlain = std::to_array<std::string_view>({"wait4",
                                                             "waitid",
                                                             "pidfd_open",
                                                             "close_range",
                                                             "dup3",
                                                             "seccomp",
                                                             "landlock_create_ruleset",
                                                             "landlock_add_rule",
                                                             "landlock_restrict_self"});
    for (const auto name : kPlain) {
        calls.push_back({.name = name});
    }
    // fork, and nothing that shares memory or makes namespaces; clone3 hides its flags from a
    // filter.
    constexpr std::uint64_t kFork =
        CSIGNAL | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
    calls.push_back({.name = "clone", .conditions = {{.index = 0, .mask = ~kFork, .value = 0}}});
    for (const int option : {PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP}) {
        calls.push_back({.name = "prctl", .conditions = {argument_is(0, option)}});
    }
    calls.push_back({.name = "prlimit64", .conditions = {argument_is(0, 0)}});
    calls.push_back({.name = "setrlimit"});
    // For abort(); the worker's filter pins it to the worker, Landlock's scope to the sandbox.
    calls.push_back({.name = "tgkill", .conditions = {argument_is(2, SIGABRT)}});
    return calls;
}

std::vector<sandbox::SystemCall> worker_system_calls() {
    auto calls = sandbox::common_system_calls();
    allow_files(calls);
    calls.push_back(
        {.name = "prlimit64",
         .conditions = {argument_is(0, 0), {.index = 2, .mask = ~std::uint64_t{0}, .value = 0}}});
    calls.push_back({.name = "tgkill", .conditions = {argument_is(0, ::getpid())}});
    return calls;
}

// Without the right to namespaces: folders of the host's /tmp, and the definitions by descriptor.
Result<> settle_on_host(const ZygoteTerms& terms, Confinement& confinement) {
    for (const auto& folder : terms.folders) {
        confinement.definition_folders.push_back(fmt::format("/proc/self/fd/{}", folder.get()));
    }
    std::string top = "/tmp/vigia-scand-XXXXXX";
    if (::mkdtemp(top.data()) == nullptr) {
        return fail_errno("make a temporary folder");
    }
    const auto owner = terms.user.value_or(sandbox::User{.uid = ::getuid(), .gid = ::getgid()});
    if (::geteuid() == 0 && ::chown(top.c_str(), owner.uid, owner.gid) < 0) {
        return fail_errno("give away the temporary folder");
    }
    for (std::uint32_t slot = 0; slot < terms.request.slots; ++slot) {
        auto folder = fmt::format("{}/{}", top, slot);
        TRY(ensure_folder(folder, 0700, owner.uid, owner.gid));
        confinement.temporary_folders.push_back(std::move(folder));
    }
    return {};
}

Result<> settle_in_empty_root(const ZygoteTerms& terms, Confinement& confinement) {
    sandbox::EmptyRoot root{.owner = terms.user.value_or(sandbox::User{})};
    for (std::size_t i = 0; i < terms.folders.size(); ++i) {
        root.read_only.push_back(
            {.descriptor = terms.folders[i].get(), .place = fmt::format("definitions/{}", i)});
        confinement.definition_folders.push_back("/" + root.read_only.back().place);
    }
    for (std::uint32_t slot = 0; slot < terms.request.slots; ++slot) {
        root.writable.push_back(
            {.place = fmt::format("tmp/{}", slot), .bytes = terms.request.temporary_space});
        confinement.temporary_folders.push_back("/" + root.writable.back().place);
    }
    return sandbox::enter_empty_root(root);
}

Result<int> restrict_zygote_files(const Confinement& confinement) {
    std::vector<UniqueFd> folders;
    std::vector<sandbox::FileRight> rights;
    const auto add = [&](const std::vector<std::string>& names, bool writable) -> Result<> {
        for (const auto& name : names) {
            folders.push_back(TRY(open_at(AT_FDCWD, name.c_str(), O_PATH | O_DIRECTORY)));
            rights.push_back({.descriptor = folders.back().get(), .writable = writable});
        }
        return {};
    };
    TRY(add(confinement.definition_folders, false));
    TRY(add(confinement.temporary_folders, true));
    return sandbox::restrict_files(rights);
}

Result<rlim_t> pages_in_use(int memory_size) {
    std::array<char, 128> text{};
    const ssize_t got = ::pread(memory_size, text.data(), text.size(), 0);
    if (got <= 0) {
        return fail_errno("read the size of the zygote");
    }
    rlim_t pages = 0;
    if (std::from_chars(text.data(), text.data() + got, pages).ec != std::errc{}) {
        return fail(std::errc::bad_message, "read the size of the zygote");
    }
    return pages;
}

Result<> limit(const WorkerTerms& terms) {
    const auto page = static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
    const rlim_t memory = TRY(pages_in_use(terms.memory_size)) * page + terms.memory;
    const std::pair<__rlimit_resource, rlim_t> limits[] = {
        {RLIMIT_AS, memory},
        {RLIMIT_FSIZE, terms.temporary_space},
        {RLIMIT_NOFILE, kWorkerDescriptors},
        {RLIMIT_NPROC, 0},
        {RLIMIT_MEMLOCK, 0},
    };
    for (const auto& [resource, value] : limits) {
        rlimit now{};
        if (::getrlimit(resource, &now) < 0) {
            return fail_errno("read a limit");
        }
        now.rlim_max = std::min(now.rlim_max, value);
        now.rlim_cur = now.rlim_max;
        if (::setrlimit(resource, &now) < 0) {
            return fail_errno("set a limit");
        }
    }
    return {};
}

}  // namespace

Result<Confinement> confine_zygote(const ZygoteTerms& terms) {
    Confinement confinement;
    // In the new root there is no /proc any more.
    confinement.memory_size = TRY(open_at(AT_FDCWD, "/proc/self/statm", O_RDONLY));
    confinement.walls = walls_of_test(terms.folders);
    const auto& walls = confinement.walls;
    const auto entered =
        walls.files ? settle_in_empty_root(terms, confinement)
                    : Result<>{fail(std::errc::operation_not_permitted, "taken away by a test")};
    if (!entered) {
        confinement.definition_folders.clear();
        confinement.temporary_folders.clear();
        TRY(settle_on_host(terms, confinement));
    }
    TRY(sandbox::drop_privileges(terms.user));
    TRY(sandbox::die_with(terms.daemon));
    const int abi = walls.files ? TRY(restrict_zygote_files(confinement)) : 0;
    // With neither, the system-call filter still holds, and scanning goes on: the daemon reads it
    // out of the description and raises fault 108.
    if (walls.calls) {
        TRY(sandbox::restrict_system_calls(zygote_system_calls()));
    }
    confinement.description =
        fmt::format("{}, {}, {}",
                    walls.calls ? "seccomp" : "no seccomp",
                    abi > 0 ? fmt::format("landlock abi {}", abi) : "no landlock",
                    entered ? "namespaces" : "no namespaces: " + entered.error().message());
    return confinement;
}

Result<UniqueFd> confine_worker(const WorkerTerms& terms, UniqueFd socket) {
    TRY(sandbox::die_with(terms.zygote));
    TRY(limit(terms));
    if (socket.get() != kWorkerSocket && ::dup3(socket.get(), kWorkerSocket, O_CLOEXEC) < 0) {
        return fail_errno("place the socket");
    }
    // The number is in use by whatever owned it in the zygote: that object is never destroyed here,
    // because a worker ends by _exit.
    (void)socket.release();
    UniqueFd placed{kWorkerSocket};
    if (::syscall(SYS_close_range, kWorkerSocket + 1, UINT_MAX, 0) < 0) {
        return fail_errno("close what belongs to the zygote");
    }
    if (terms.walls.files) {
        const auto folder =
            TRY(open_at(AT_FDCWD, terms.temporary_folder.c_str(), O_PATH | O_DIRECTORY));
        (void)TRY(sandbox::restrict_files(
            std::array{sandbox::FileRight{.descriptor = folder.get(), .writable = true}}));
    }
    if (terms.walls.calls) {
        TRY(sandbox::restrict_system_calls(worker_system_calls()));
    }
    return placed;
}

}  // namespace vigia::scand
