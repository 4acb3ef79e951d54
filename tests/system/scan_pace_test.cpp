// SPDX-License-Identifier: GPL-2.0-or-later
// How hard scan workers work while others want the processor (policy scan.cpu_budget), with the
// real vigia-scand.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/scan_service_fixture.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using scan::Haste;
using test::eventually;
using test::holds_memory_file;
using test::marker;
using test::memory_file;
using test::request_of;

struct Use {
    int policy = -1;
    long nice = 0;
    double cpu_seconds = 0;
};

// Of a process, as the kernel says in /proc/PID/stat.
std::optional<Use> use_of(pid_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    const auto name_end = text ? text->rfind(") ") : std::string::npos;
    if (name_end == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream rest(text->substr(name_end + 2));
    std::vector<std::string> fields{"pid", "comm"};
    for (std::string field; rest >> field;) {
        fields.push_back(field);
    }
    constexpr std::size_t kUser = 13;
    constexpr std::size_t kSystem = 14;
    constexpr std::size_t kNice = 18;
    constexpr std::size_t kPolicy = 40;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    return Use{
        .policy = std::stoi(fields.at(kPolicy)),
        .nice = std::stol(fields.at(kNice)),
        .cpu_seconds = (std::stod(fields.at(kUser)) + std::stod(fields.at(kSystem))) / ticks};
}

// One process on each processor that wants all of it, until it goes.
class Load {
public:
    Load() {
        cpu_set_t allowed{};
        (void)::sched_getaffinity(0, sizeof allowed, &allowed);
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &allowed)) {
                start_on(cpu);
            }
        }
    }

    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    ~Load() {
        for (const pid_t pid : children_) {
            (void)::kill(pid, SIGKILL);
            (void)::waitpid(pid, nullptr, 0);
        }
    }

private:
    void start_on(std::size_t cpu) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            cpu_set_t one{};
            CPU_SET(cpu, &one);
            (void)::sched_setaffinity(0, sizeof one, &one);
            constexpr unsigned kLongestSeconds = 120;
            ::alarm(kLongestSeconds);
            while (::getppid() != 0) {
            }
        }
        children_.push_back(pid);
    }

    std::vector<pid_t> children_;
};

class ScanPace : public test::ScanServiceSystem {
protected:
    void SetUp() override {
        ScanServiceSystem::SetUp();
        if (!may_change_others()) {
            GTEST_SKIP() << "CAP_SYS_NICE is missing here: nobody can make workers wait";
        }
    }

    // A child of another user is asked to wait, and to go on.
    static bool may_change_others() {
        const pid_t pid = ::fork();
        if (pid == 0) {
            constexpr uid_t kNobody = 65534;
            (void)!::setuid(kNobody);
            ::raise(SIGSTOP);
            ::_exit(0);
        }
        int status = 0;
        (void)::waitpid(pid, &status, WUNTRACED);
        const sched_param none{};
        const bool may = ::sched_setscheduler(pid, SCHED_IDLE, &none) == 0 &&
                         ::sched_setscheduler(pid, SCHED_OTHER, &none) == 0;
        (void)::kill(pid, SIGKILL);
        (void)::waitpid(pid, &status, 0);
        return may;
    }

    // A worker that has begun a file and uses no processor time for it.
    std::future<Verdict> hang(Haste haste, pid_t worker) {
        file_ = memory_file(marker("HANG"));
        auto request = request_of(file_);
        request.timeout = 60s;
        request.haste = haste;
        request.cpu_budget_percent = 25;
        auto verdict =
            std::async(std::launch::async, [this, request] { return service_->scan(request); });
        EXPECT_TRUE(eventually([&] { return holds_memory_file(worker); }));
        return verdict;
    }

    static bool becomes(pid_t worker, int policy, long nice) {
        return eventually([&] {
            const auto use = use_of(worker);
            return use && use->policy == policy && use->nice == nice;
        });
    }

    UniqueFd file_;
};

constexpr long kLowNice = 10;

TEST_F(ScanPace, WhatCanRunWaitsALittleAndTheNextPersonNotAtAll) {
    start_ready(1);
    const auto worker = service_->state().workers.front();
    const auto file = memory_file("harmless");
    auto request = request_of(file);
    request.haste = Haste::Prompt;
    ASSERT_EQ(service_->scan(request).kind, VerdictKind::Clean);
    EXPECT_TRUE(becomes(worker, SCHED_BATCH, kLowNice));
    request.haste = Haste::Asked;
    ASSERT_EQ(service_->scan(request).kind, VerdictKind::Clean);
    EXPECT_TRUE(becomes(worker, SCHED_OTHER, 0));
}

TEST_F(ScanPace, WhatSomebodyWaitsForRunsAsEverybody) {
    start_ready(1);
    const auto worker = service_->state().workers.front();
    auto verdict = hang(Haste::Asked, worker);
    EXPECT_TRUE(becomes(worker, SCHED_OTHER, 0));
    service_->stop();
    EXPECT_EQ(verdict.get().kind, VerdictKind::Failed);
}

TEST_F(ScanPace, AFileInTheBackgroundThatGetsNoProcessorIsGivenItsShareAfterAWhile) {
    start_ready(1);
    const auto worker = service_->state().workers.front();
    std::atomic<bool> stepped_back = false;
    std::jthread look([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const auto use = use_of(worker);
            stepped_back = stepped_back || (use && use->policy == SCHED_IDLE);
        }
    });
    auto verdict = hang(Haste::Background, worker);
    EXPECT_TRUE(becomes(worker, SCHED_OTHER, 0));
    look.request_stop();
    look.join();
    EXPECT_TRUE(stepped_back);
    service_->stop();
    EXPECT_EQ(verdict.get().kind, VerdictKind::Failed);
}

TEST_F(ScanPace, WhileOthersWantEveryProcessorScanningStaysWithinItsBudgetAndGoesOn) {
    start_ready(1);
    const auto worker = service_->state().workers.front();
    // Of two processors this is a fifth of one for the only worker.
    constexpr unsigned kPercent = 10;
    const double budget =
        std::min(1.0, 0.01 * kPercent * std::max(1U, std::thread::hardware_concurrency()));
    std::string content;
    for (int i = 0; content.size() < std::size_t{256} * 1024; ++i) {
        content += "line " + std::to_string(i) + " of something harmless\n";
    }
    const Load others;
    const auto before = use_of(worker);
    ASSERT_TRUE(before);
    const auto begun = std::chrono::steady_clock::now();
    std::chrono::duration<double> elapsed{};
    int files = 0;
    // Longer than the memory of the pace; some files, however slowly they come.
    while (elapsed < 6s || files < 20) {
        ASSERT_LT(elapsed, 90s) << "only " << files << " files";
        const auto file = memory_file(content + std::to_string(files++));
        auto request = request_of(file);
        request.timeout = 60s;
        request.haste = Haste::Background;
        request.cpu_budget_percent = kPercent;
        ASSERT_EQ(service_->scan(request).kind, VerdictKind::Clean);
        elapsed = std::chrono::steady_clock::now() - begun;
    }
    const auto after = use_of(worker);
    ASSERT_TRUE(after) << "the worker has gone";
    const double share = (after->cpu_seconds - before->cpu_seconds) / elapsed.count();
    RecordProperty("share_of_one_processor", std::to_string(share));
    std::cout << files << " files; " << share << " of a processor, budget " << budget << "\n";
    EXPECT_LT(share, 1.5 * budget);
}

}  // namespace
}  // namespace vigia
