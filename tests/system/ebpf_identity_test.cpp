// SPDX-License-Identifier: GPL-2.0-or-later
// Who a process is stays right when its number is used again, and whatever it calls itself.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "process_tree/process_tree.h"
#include "sensors/ebpf/record_source.h"
#include "support/bpf_allowed.h"
#include "support/kernel_recorder.h"
#include "support/told_child.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;
using sensors::Delivery;
using sensors::KernelSensor;

constexpr const char* kLiar = "--vigia-liar";

// This program, called with that word: what a process does that hides.
__attribute__((constructor)) void lie(int count, char** words, char** /*environ*/) {
    if (count != 2 || std::strcmp(words[1], kLiar) != 0) {  // NOLINT: what main() is given
        return;
    }
    ::prctl(PR_SET_NAME, "innocent");
    std::memset(words[0], 'x', std::strlen(words[0]));  // NOLINT
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execl("/bin/true", "of-the-liar", nullptr);
        ::_exit(127);
    }
    ::waitpid(pid, nullptr, 0);
    ::_exit(0);
}

// Its pid as its parent sees it; -1: refused.
pid_t clone_with_number(pid_t wanted) {
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uint64_t>(&wanted);  // NOLINT: the kernel's way
    arguments.set_tid_size = 1;
    return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

[[noreturn]] void become(const char* program, const char* name, const char* argument) {
    ::execl(program, name, argument, nullptr);
    ::_exit(127);
}

// Becomes the first process of a pid namespace of its own, and runs `first` there in a mount
// namespace of its own; its number here.
pid_t in_container(const std::function<void()>& first) {
    const pid_t outer = ::fork();
    if (outer == 0) {
        if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
            ::_exit(126);
        }
        const pid_t init = ::fork();
        if (init == 0) {
            first();
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(init, &status, 0);
        ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 125);
    }
    int status = 0;
    ::waitpid(outer, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? outer : -1;
}

// The same number twenty times, each time another program's.
void use_a_number_again() {
    for (int i = 0; i < 20; ++i) {
        const pid_t pid = clone_with_number(777);
        if (pid == 0) {
            become(i % 2 == 0 ? "/bin/true" : "/bin/sleep", "again", "0");
        }
        if (pid != 777 || ::waitpid(pid, nullptr, 0) != pid) {
            ::_exit(124);
        }
    }
}

std::string work(const std::string& word, int /*socket*/) {
    if (word == "reuse") {
        return std::to_string(in_container(use_a_number_again));
    }
    if (word == "reuse-here") {
        for (int attempt = 0; attempt < 50; ++attempt) {
            const pid_t first = ::fork();
            if (first == 0) {
                become("/bin/true", "first", nullptr);
            }
            ::waitpid(first, nullptr, 0);
            const pid_t second = clone_with_number(first);
            if (second == 0) {
                become("/bin/sleep", "second", "0");
            }
            if (second > 0) {
                ::waitpid(second, nullptr, 0);
                return std::to_string(second);
            }
            if (errno != EEXIST) {  // somebody else has it already
                break;
            }
        }
        return "-1";
    }
    if (word == "container") {
        return std::to_string(in_container([] {
            if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                ::mount("vigia-test", "/mnt", "tmpfs", 0, "") != 0) {
                ::_exit(123);
            }
            const int from = ::open("/bin/true", O_RDONLY | O_CLOEXEC);
            const int to = ::open("/mnt/inside", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
            std::array<char, 65536> bytes{};
            for (ssize_t size = 0; (size = ::read(from, bytes.data(), bytes.size())) > 0;) {
                (void)!::write(to, bytes.data(), static_cast<std::size_t>(size));
            }
            ::close(to);
            become("/mnt/inside", "inside", nullptr);
        }));
    }
    if (word == "vfork") {
        const pid_t pid = ::vfork();  // NOLINT: it is what is tested
        if (pid == 0) {
            ::execl("/bin/true", "by-vfork", nullptr);
            ::_exit(127);
        }
        ::waitpid(pid, nullptr, 0);
        return std::to_string(pid);
    }
    if (word == "liar") {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::prctl(PR_SET_NAME, "kworker/0:1");
            become("/bin/sh", "[kthreadd]", "-c");
        }
        ::waitpid(pid, nullptr, 0);
        return std::to_string(pid);
    }
    if (word == "renamed") {
        // A shell that calls itself something else, overwrites its arguments, and starts a child.
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::execl("/proc/self/exe", "vigia-liar", kLiar, nullptr);
            ::_exit(127);
        }
        ::waitpid(pid, nullptr, 0);
        return std::to_string(pid);
    }
    return "?";
}

class EbpfIdentity : public ::testing::TestWithParam<Delivery> {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
        auto opened = KernelSensor::open(
            {.network = false, .perf_buffer = GetParam() == Delivery::PerfBuffer},
            {.on_process =
                 [this, tell = recorder_.observer().on_process](ProcessEvent&& event) {
                     tree_.apply(event);
                     tell(std::move(event));
                 },
             .on_flow = [](FlowEvent&&) {}});
        ASSERT_TRUE(opened.has_value()) << opened.error().message();
        sensor_.emplace(std::move(*opened));
    }

    void settle() { ASSERT_TRUE(sensor_->drain(10s).has_value()); }

    [[nodiscard]] std::vector<ProcessExec> execs(
        const std::function<bool(const ProcessExec&)>& wanted) {
        settle();
        return recorder_.processes<ProcessExec>(wanted);
    }

    [[nodiscard]] std::vector<ProcessExec> execs_of(pid_t pid) {
        return execs([&](const ProcessExec& one) { return one.process.who.key.pid == pid; });
    }

    process_tree::ProcessTree tree_;
    KernelRecorder recorder_;
    ToldChild child_{work};
    std::optional<KernelSensor> sensor_;
};

TEST_P(EbpfIdentity, ANumberUsedAgainIsAnotherProcess) {
    const auto outer = child_.ask("reuse");
    if (outer == "-1") {
        GTEST_SKIP() << "clone3 with set_tid, or a pid namespace, is refused";
    }
    // The number is that of the namespace; here they differ. Both are told.
    const auto again = execs([](const ProcessExec& one) {
        return one.process.namespaces.pid_inside == 777 &&
               one.process.arguments.starts_with("again");
    });
    ASSERT_EQ(again.size(), 20U);
    std::vector<ProcessKey> keys;
    for (std::size_t i = 0; i < again.size(); ++i) {
        const auto& process = again[i].process;
        keys.push_back(process.who.key);
        EXPECT_EQ(process.path,
                  std::filesystem::canonical(i % 2 == 0 ? "/bin/true" : "/bin/sleep").native());
        const auto known = tree_.find(process.who.key);
        ASSERT_TRUE(known.has_value());
        EXPECT_EQ(known->path, process.path);
        EXPECT_EQ(known->parent, process.parent);
    }
    std::ranges::sort(keys);
    EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
}

TEST_P(EbpfIdentity, OfTwoProcessesOfOneNumberEachIsFoundByItsStart) {
    const pid_t pid = std::stoi(child_.ask("reuse-here"));
    if (pid < 0) {
        GTEST_SKIP() << "clone3 with set_tid is refused";
    }
    const auto told = execs_of(pid);
    ASSERT_EQ(told.size(), 2U);
    EXPECT_NE(told[0].process.who.key, told[1].process.who.key);
    EXPECT_LT(told[0].process.who.key.start_ns, told[1].process.who.key.start_ns);
    EXPECT_TRUE(told[0].process.arguments.starts_with("first"));
    EXPECT_TRUE(told[1].process.arguments.starts_with("second"));
    for (const auto& one : told) {
        const auto known = tree_.find(one.process.who.key);
        ASSERT_TRUE(known.has_value());
        EXPECT_EQ(known->path, one.process.path);
        // A moment after it began, as whoever hears of a file does.
        const auto then = tree_.last_before(pid, one.at);
        ASSERT_TRUE(then.has_value());
        EXPECT_EQ(then->path, one.process.path);
    }
}

TEST_P(EbpfIdentity, AChildOfVforkIsItself) {
    const pid_t pid = std::stoi(child_.ask("vfork"));
    const auto told = execs_of(pid);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].process.parent.pid, child_.pid());
    EXPECT_EQ(told[0].process.path, std::filesystem::canonical("/bin/true").native());
    EXPECT_EQ(told[0].process.called_as, "/bin/true");
    EXPECT_FALSE(told[0].by_thread);
    const auto forks = recorder_.processes<ProcessFork>(
        [&](const ProcessFork& fork) { return fork.child.key.pid == pid; });
    ASSERT_EQ(forks.size(), 1U);
    EXPECT_EQ(forks[0].child.key, told[0].process.who.key);
}

TEST_P(EbpfIdentity, APathIsToldWhateverTheFirstArgumentAndTheNameSay) {
    const pid_t pid = std::stoi(child_.ask("liar"));
    const auto told = execs_of(pid);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].process.path, std::filesystem::canonical("/bin/sh").native());
    EXPECT_EQ(told[0].process.who.comm, "sh");
    EXPECT_TRUE(told[0].process.arguments.starts_with("[kthreadd]"));
    struct stat status{};
    ASSERT_EQ(::stat("/bin/sh", &status), 0);
    EXPECT_EQ(told[0].process.who.program.inode, status.st_ino);
}

TEST_P(EbpfIdentity, ANameAndArgumentsOverwrittenLaterChangeNothingThatWasTold) {
    const pid_t pid = std::stoi(child_.ask("renamed"));
    const auto told = execs_of(pid);
    ASSERT_EQ(told.size(), 1U);
    const auto self = std::filesystem::canonical("/proc/self/exe").native();
    EXPECT_EQ(told[0].process.path, self);
    EXPECT_TRUE(told[0].process.arguments.starts_with("vigia-liar"));
    const auto of_child =
        execs([&](const ProcessExec& one) { return one.process.parent.pid == pid; });
    ASSERT_EQ(of_child.size(), 1U);
    const auto ancestry = tree_.ancestry(of_child[0].process.who.key);
    ASSERT_GE(ancestry.size(), 2U);
    EXPECT_EQ(ancestry[1].who.key, told[0].process.who.key);
    EXPECT_EQ(ancestry[1].path, self) << "not what it calls itself";
    const auto exits = recorder_.processes<ProcessExit>(
        [&](const ProcessExit& one) { return one.process.key.pid == pid; });
    ASSERT_EQ(exits.size(), 1U);
    EXPECT_EQ(exits[0].process.comm, "innocent") << "as it was called when it ended";
    EXPECT_EQ(exits[0].process.program, told[0].process.who.program);
}

TEST_P(EbpfIdentity, AContainerIsToldByItsNamespacesAndItsPathAsSeenInside) {
    const pid_t outer = std::stoi(child_.ask("container"));
    ASSERT_GT(outer, 0);
    const auto told = execs([](const ProcessExec& one) {
        return one.process.path == "/mnt/inside" && one.process.arguments.starts_with("inside");
    });
    ASSERT_EQ(told.size(), 1U);
    const auto& process = told[0].process;
    struct stat ours{};
    ASSERT_EQ(::stat("/proc/self/ns/mnt", &ours), 0);
    EXPECT_NE(process.namespaces.mount, ours.st_ino);
    ASSERT_EQ(::stat("/proc/self/ns/pid", &ours), 0);
    EXPECT_NE(process.namespaces.pid, ours.st_ino);
    EXPECT_EQ(process.namespaces.pid_inside, 1);
    EXPECT_GT(process.who.key.pid, 1) << "its number here";
    const auto ancestry = tree_.ancestry(process.who.key);
    EXPECT_TRUE(
        std::ranges::any_of(ancestry, [&](const auto& one) { return one.who.key.pid == outer; }));
    EXPECT_EQ(ancestry.back().parent.pid, child_.pid());
}

INSTANTIATE_TEST_SUITE_P(Through,
                         EbpfIdentity,
                         ::testing::Values(Delivery::RingBuffer, Delivery::PerfBuffer),
                         [](const auto& one) {
                             return one.param == Delivery::RingBuffer ? "RingBuffer" : "PerfBuffer";
                         });

}  // namespace
}  // namespace vigia::test
