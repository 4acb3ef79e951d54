// SPDX-License-Identifier: GPL-2.0-or-later
// Every process is told, exactly once, and what is left out is counted.
// timeout: 900
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <thread>

#include "base/clock.h"
#include "sensors/ebpf/record_source.h"
#include "support/bpf_allowed.h"
#include "support/kernel_recorder.h"
#include "support/process_connector.h"
#include "support/told_child.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using sensors::Delivery;
using sensors::EventClass;
using sensors::KernelSensor;

constexpr int kStorm = 20'000;
constexpr int kStormOfOldKernels = 4'000;  // the same way, and a minute less of the test run

int run(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (auto& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_t pid = -1;
    if (::posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(), nullptr) != 0) {
        return -1;
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return pid;
}

int run_memory_file() {
    const int file = ::memfd_create("hidden", MFD_CLOEXEC);
    const int source = ::open("/bin/true", O_RDONLY | O_CLOEXEC);
    struct stat status{};
    ::fstat(source, &status);
    off_t at = 0;
    while (at < status.st_size) {
        if (::copy_file_range(source, &at, file, nullptr, 1 << 20, 0) <= 0) {
            char bytes[65536];  // NOLINT: a copy between file systems may be refused
            const auto size = ::pread(source, bytes, sizeof(bytes), at);
            at += ::write(file, bytes, static_cast<std::size_t>(size));
        }
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
        char name[] = "true";                 // NOLINT
        char* arguments[] = {name, nullptr};  // NOLINT
        char* environment[] = {nullptr};      // NOLINT
        ::fexecve(file, arguments, environment);
        ::_exit(127);
    }
    int result = 0;
    ::waitpid(pid, &result, 0);
    ::close(file);
    ::close(source);
    return result;
}

int exec_by_thread() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        std::thread([] { ::execl("/bin/true", "true", "by-thread", nullptr); }).detach();
        while (true) {
            ::pause();
        }
    }
    ::waitpid(pid, nullptr, 0);
    return pid;
}

int threads_that_end_at_once() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        for (int i = 0; i < 8; ++i) {
            std::thread([] { ::syscall(SYS_exit, 0); }).detach();
        }
        ::syscall(SYS_exit, 3);  // this thread only; the process ends with the last
    }
    ::waitpid(pid, nullptr, 0);
    return pid;
}

// What the child does; each is a word.
std::string work(const std::string& word, int /*socket*/) {
    if (word.starts_with("storm ")) {
        for (int i = std::stoi(word.substr(6)); i > 0; --i) {
            run({"/bin/true"});
        }
        return "done";
    }
    if (word == "arguments") {
        return std::to_string(run({"/usr/bin/env", "-i", "/bin/true", "two words", "", "end"}));
    }
    if (word == "exit 3") {
        return std::to_string(run({"/bin/sh", "-c", "exit 3"}));
    }
    if (word == "memfd") {
        return std::to_string(run_memory_file());
    }
    if (word == "thread") {
        return std::to_string(exec_by_thread());
    }
    if (word == "threads") {
        return std::to_string(threads_that_end_at_once());
    }
    if (word == "grandchild") {
        return std::to_string(run({"/bin/sh", "-c", "/bin/true; /bin/true"}));
    }
    return "?";
}

// Through the ring buffer and, as on kernels before 5.8, through perf buffers.
class EbpfProcesses : public ::testing::TestWithParam<Delivery> {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
        auto opened = KernelSensor::open({.network = false, .perf_buffer = perf_buffer()},
                                         recorder_.observer());
        ASSERT_TRUE(opened.has_value()) << opened.error().message() << '\n' << opened.error().log;
        sensor_.emplace(std::move(*opened));
        EXPECT_TRUE(sensor_->state().missing.empty());
        EXPECT_EQ(sensor_->state().delivery, perf_buffer() ? "perf-buffer" : "ring-buffer");
    }

    void TearDown() override {
        if (sensor_) {
            settle();
            const auto state = sensor_->state();
            EXPECT_EQ(imbalance_of(state), "");
            EXPECT_EQ(state.malformed, 0U);
            EXPECT_EQ(state.missed_runs, 0U);
        }
    }

    [[nodiscard]] static bool perf_buffer() { return GetParam() == Delivery::PerfBuffer; }

    void settle() {
        const auto drained = sensor_->drain(10s);
        EXPECT_TRUE(drained.has_value());
    }

    [[nodiscard]] std::vector<ProcessExec> execs_of(pid_t pid) {
        settle();
        return recorder_.processes<ProcessExec>(
            [&](const ProcessExec& exec) { return exec.process.who.key.pid == pid; });
    }

    [[nodiscard]] std::vector<ProcessExit> exits_of(pid_t pid) {
        settle();
        return recorder_.processes<ProcessExit>(
            [&](const ProcessExit& one) { return one.process.key.pid == pid; });
    }

    KernelRecorder recorder_;
    ToldChild child_{work};
    std::optional<KernelSensor> sensor_;
};

TEST_P(EbpfProcesses, AStormOfThousandsIsToldExactlyAndAsTheConnectorSaysIt) {
    const int storm = perf_buffer() ? kStormOfOldKernels : kStorm;
    ProcessConnector connector;
    ASSERT_TRUE(connector.listens());
    const auto begin = Clock::boot();
    ASSERT_EQ(child_.ask("storm " + std::to_string(storm), 800s), "done");
    const auto took = std::chrono::duration<double>(Clock::boot() - begin).count();
    std::cout << "exec storm: " << storm / took << " processes a second\n";
    settle();
    const auto of_child = [&](ProcessKey parent) { return parent.pid == child_.pid(); };
    const auto forks = recorder_.processes<ProcessFork>(
        [&](const ProcessFork& fork) { return of_child(fork.parent); });
    const auto execs = recorder_.processes<ProcessExec>(
        [&](const ProcessExec& exec) { return of_child(exec.process.parent); });
    const auto exits = recorder_.processes<ProcessExit>(
        [&](const ProcessExit& one) { return of_child(one.parent); });
    EXPECT_EQ(forks.size(), static_cast<std::size_t>(storm));
    EXPECT_EQ(execs.size(), static_cast<std::size_t>(storm));
    EXPECT_EQ(exits.size(), static_cast<std::size_t>(storm));
    std::map<ProcessKey, int> lives;
    for (const auto& exec : execs) {
        ++lives[exec.process.who.key];
    }
    for (const auto& exited : exits) {
        ++lives[exited.process.key];
    }
    EXPECT_EQ(lives.size(), static_cast<std::size_t>(storm));
    const auto differences = [&] {
        const auto seen = connector.seen();
        return std::ranges::count_if(lives, [&](const auto& life) {
            const auto other = seen.find(life.first.pid);
            return life.second != 2 || other == seen.end() || other->second.execs != 1 ||
                   other->second.exits != 1;
        });
    };
    auto wrong = differences();
    for (const auto end = Clock::boot() + 20s; wrong > 0 && Clock::boot() < end;) {
        wrong = differences();  // its thread may be behind
    }
    if (connector.overflowed()) {
        std::cout << "the connector lost messages: not compared\n";
    } else {
        EXPECT_EQ(wrong, 0);
    }
    for (const auto& counters : sensor_->state().counters) {
        EXPECT_EQ(counters.lost, 0U) << counters.event_class;
    }
}

TEST_P(EbpfProcesses, AnExecTellsFileArgumentsAndWho) {
    const pid_t pid = std::stoi(child_.ask("arguments"));
    const auto execs = execs_of(pid);
    ASSERT_EQ(execs.size(), 2U);
    const auto& info = execs[1].process;
    EXPECT_EQ(info.path, std::filesystem::canonical("/bin/true").native());
    EXPECT_EQ(info.called_as, "/bin/true");
    EXPECT_EQ(info.arguments, "/bin/true\0two words\0\0end\0"s);
    EXPECT_EQ(info.arguments_total, info.arguments.size());
    EXPECT_EQ(info.parent.pid, child_.pid());
    EXPECT_EQ(info.who.uid, ::getuid());
    EXPECT_EQ(info.who.comm, "true");
    struct stat status{};
    ASSERT_EQ(::stat("/bin/true", &status), 0);
    EXPECT_EQ(info.who.program.inode, status.st_ino);
    EXPECT_EQ(info.file_mode, status.st_mode);
    ASSERT_EQ(::stat("/proc/self/ns/mnt", &status), 0);
    EXPECT_EQ(info.namespaces.mount, status.st_ino);
    ASSERT_EQ(::stat("/proc/self/ns/pid", &status), 0);
    EXPECT_EQ(info.namespaces.pid, status.st_ino);
    EXPECT_EQ(info.namespaces.pid_inside, pid);
    EXPECT_EQ(execs[0].process.who.key, info.who.key);
}

TEST_P(EbpfProcesses, AnExitTellsItsStatus) {
    const auto exits = exits_of(std::stoi(child_.ask("exit 3")));
    ASSERT_EQ(exits.size(), 1U);
    EXPECT_TRUE(WIFEXITED(exits[0].wait_status));
    EXPECT_EQ(WEXITSTATUS(exits[0].wait_status), 3);
    EXPECT_EQ(exits[0].parent.pid, child_.pid());
}

TEST_P(EbpfProcesses, AnExecByAThreadIsTheProcessesAndItsKeyStays) {
    const pid_t pid = std::stoi(child_.ask("thread"));
    const auto execs = execs_of(pid);
    ASSERT_EQ(execs.size(), 1U);
    EXPECT_TRUE(execs[0].by_thread);
    const auto forks = recorder_.processes<ProcessFork>(
        [&](const ProcessFork& fork) { return fork.child.key.pid == pid; });
    ASSERT_EQ(forks.size(), 1U);
    EXPECT_EQ(forks[0].child.key, execs[0].process.who.key);
    EXPECT_EQ(exits_of(pid).size(), 1U);
}

TEST_P(EbpfProcesses, AProcessWhoseThreadsEndAtOnceExitsOnce) {
    for (int round = 0; round < 200; ++round) {
        ASSERT_EQ(exits_of(std::stoi(child_.ask("threads"))).size(), 1U);
        recorder_.forget();
    }
}

TEST_P(EbpfProcesses, AMemoryFileIsToldAndKilledIfPolicySaysSo) {
    ASSERT_EQ(child_.ask("memfd"), "0");
    settle();
    const auto memory = [](const ProcessExec& exec) { return exec.process.memory_file; };
    auto execs = recorder_.processes<ProcessExec>(memory);
    ASSERT_EQ(execs.size(), 1U);
    EXPECT_EQ(execs[0].process.path, "memfd:hidden");
    EXPECT_FALSE(execs[0].killed);
    recorder_.forget();
    ASSERT_TRUE(sensor_->set({.kill_memory_files = true}).has_value());
    const int status = std::stoi(child_.ask("memfd"));
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    settle();
    execs = recorder_.processes<ProcessExec>(memory);
    ASSERT_EQ(execs.size(), 1U);
    EXPECT_TRUE(execs[0].killed);
}

TEST_P(EbpfProcesses, AnExcludedProcessIsCountedWithItsChildrenAndNotTold) {
    ASSERT_TRUE(sensor_->exclude(child_.pid(), 1, true).has_value());
    const auto excluded = [&](std::size_t index) {
        return sensor_->state().counters.at(index).filtered.at("excluded-process");
    };
    const auto before = excluded(0);
    const pid_t pid = std::stoi(child_.ask("grandchild"));
    EXPECT_TRUE(execs_of(pid).empty());
    const auto mine = recorder_.processes<ProcessFork>([&](const ProcessFork& fork) {
        return fork.parent.pid == child_.pid() || fork.parent.pid == pid;
    });
    EXPECT_TRUE(mine.empty());
    EXPECT_GE(excluded(0), before + 2);  // sh, true, and true or the shell's own exec of it
    ASSERT_TRUE(sensor_->include(child_.pid()).has_value());
    EXPECT_FALSE(execs_of(std::stoi(child_.ask("exit 3"))).empty());
}

TEST_P(EbpfProcesses, AProgramIsExcludedByItsFile) {
    const auto first = execs_of(std::stoi(child_.ask("exit 3")));
    ASSERT_FALSE(first.empty());
    const auto shell = first.back().process.who.program;
    ASSERT_TRUE(sensor_->set_excluded_programs({{.program = shell, .rule = 4}}).has_value());
    recorder_.forget();
    const pid_t pid = std::stoi(child_.ask("exit 3"));
    EXPECT_TRUE(execs_of(pid).empty());
    EXPECT_TRUE(exits_of(pid).empty());
    ASSERT_TRUE(sensor_->set_excluded_programs({}).has_value());
    EXPECT_FALSE(execs_of(std::stoi(child_.ask("exit 3"))).empty());
}

TEST_P(EbpfProcesses, ClassesThatAreNotWantedAreCountedByReasonAndTheProgramIsKnown) {
    ASSERT_TRUE(
        sensor_
            ->set({.wanted = {EventClass::Exec, EventClass::Exit}, .admitted = {EventClass::Exec}})
            .has_value());
    ASSERT_EQ(child_.ask("storm 50"), "done");
    settle();
    const auto state = sensor_->state();
    EXPECT_GE(state.counters.at(1).filtered.at("policy"), 50U);
    EXPECT_GE(state.counters.at(2).filtered.at("overload"), 50U);
    const auto busiest = sensor_->busiest(100);
    EXPECT_TRUE(std::ranges::any_of(
        busiest, [](const auto& one) { return one.comm == "true" && one.events[0] >= 50; }));
}

TEST_P(EbpfProcesses, WhatDoesNotFitIntoTheRingIsCountedAsLost) {
    sensor_.reset();
    auto opened = KernelSensor::open(
        {.network = false, .perf_buffer = perf_buffer(), .ring_bytes = 4096}, recorder_.observer());
    ASSERT_TRUE(opened.has_value());
    sensor_.emplace(std::move(*opened));
    {
        const auto held = recorder_.hold();  // the reader stands, the ring fills
        ASSERT_EQ(child_.ask("storm 100", 60s), "done");
    }
    settle();
    const auto state = sensor_->state();
    const auto& exec = state.counters.at(0);
    const auto told = recorder_.processes<ProcessExec>([](const auto&) { return true; });
    EXPECT_EQ(told.size(), exec.delivered);
    EXPECT_GE(exec.offered, 100U);
    EXPECT_GT(exec.lost, 0U);
}

TEST_P(EbpfProcesses, TheSnapshotHasThisProcessAndThoseOfTheKernel) {
    const auto snapshot = sensor_->snapshot();
    ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message();
    const auto self = std::ranges::find_if(
        snapshot->processes, [](const auto& process) { return process.who.key.pid == ::getpid(); });
    ASSERT_NE(self, snapshot->processes.end());
    EXPECT_EQ(self->path, std::filesystem::canonical("/proc/self/exe").native());
    EXPECT_FALSE(self->arguments.empty());
    EXPECT_EQ(self->parent.pid, ::getppid());
    EXPECT_TRUE(std::ranges::any_of(snapshot->processes,
                                    [](const auto& process) { return process.kernel_thread; }));
}

INSTANTIATE_TEST_SUITE_P(Through,
                         EbpfProcesses,
                         ::testing::Values(Delivery::RingBuffer, Delivery::PerfBuffer),
                         [](const auto& one) {
                             return one.param == Delivery::RingBuffer ? "RingBuffer" : "PerfBuffer";
                         });

}  // namespace
}  // namespace vigia::test
