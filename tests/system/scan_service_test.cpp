// SPDX-License-Identifier: GPL-2.0-or-later
// ScanService with the real vigia-scand: losses of workers and of the zygote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <iostream>
#include <string>
#include <vector>

#include "support/scan_service_fixture.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::holds_memory_file;
using test::marker;
using test::memory_file;
using test::request_of;
using test::state_of;
using testing::HasSubstr;
using testing::StartsWith;
using ScanServiceSystem = test::ScanServiceSystem;
using SteadyClock = std::chrono::steady_clock;

TEST_F(ScanServiceSystem, JudgesFilesInWorkersThatAreNotRoot) {
    start_ready(2);
    EXPECT_EQ(scan("nothing to see").kind, VerdictKind::Clean);
    const auto verdict = scan("there is first-bad-text in it");
    EXPECT_EQ(verdict.kind, VerdictKind::Infected);
    EXPECT_THAT(verdict.threat, StartsWith("Test.One"));
    const auto state = service_->state();
    EXPECT_EQ(state.state, "ready");
    EXPECT_NE(state.user, "root");
    EXPECT_FALSE(state.user.empty());
    EXPECT_FALSE(state.sandbox.empty());
    EXPECT_EQ(state.engine->generation, "one");
    EXPECT_EQ(state.engine->signatures, 1U);
    EXPECT_FALSE(state.engine->version.empty());
    EXPECT_EQ(state.workers_lost, 0U);
}

TEST_F(ScanServiceSystem, ContentThatCrashesWorkersIsSetAsideWhileEverythingElseIsScanned) {
    start_ready(2);
    std::atomic<int> clean = 0;
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 6; ++i) {
        callers.push_back(std::async(std::launch::async, [&] {
            for (int k = 0; k < 50; ++k) {
                clean += scan("harmless " + std::to_string(k)).kind == VerdictKind::Clean ? 1 : 0;
            }
        }));
    }
    for (int i = 1; i <= 3; ++i) {
        const auto file = memory_file("some " + marker("CRASH") + " here");
        auto request = request_of(file);
        request.path_hint = "/bad";
        const auto verdict = service_->scan(request);
        EXPECT_EQ(verdict.kind, VerdictKind::Unscannable);
        EXPECT_EQ(verdict.reason, "kills-workers") << verdict.detail;
        EXPECT_EQ(recorder_.told().losses.size(), 2U * static_cast<unsigned>(i));
    }
    callers.clear();
    EXPECT_EQ(clean, 6 * 50);
    EXPECT_EQ(service_->state().workers_lost, 6U);
    for (const auto& loss : recorder_.told().losses) {
        EXPECT_THAT(loss.how, HasSubstr("signal 11"));
        EXPECT_EQ(loss.path, "/bad");
    }
    EXPECT_TRUE(all_ready(2));
}

TEST_F(ScanServiceSystem, ContentThatHangsWorkersIsUnscannableForItsTime) {
    start_ready(2);
    const auto before = SteadyClock::now();
    const auto verdict = scan(marker("HANG"), 1s);
    EXPECT_EQ(verdict.kind, VerdictKind::Unscannable);
    EXPECT_EQ(verdict.reason, "timeout");
    EXPECT_LT(SteadyClock::now() - before, 5s);
    for (const auto& loss : recorder_.told().losses) {
        EXPECT_EQ(loss.how, "deadline after 1 s");
    }
}

TEST_F(ScanServiceSystem, AKilledIdleWorkerIsReplacedAndCounted) {
    start_ready(2);
    const auto victim = service_->state().workers.front();
    ::kill(victim, SIGKILL);
    ASSERT_TRUE(recorder_.wait([](const auto& told) { return !told.losses.empty(); }));
    EXPECT_EQ(recorder_.told().losses.front().pid, victim);
    EXPECT_THAT(recorder_.told().losses.front().how, HasSubstr("signal 9"));
    ASSERT_TRUE(all_ready(2));
    const auto now = service_->state().workers;
    EXPECT_EQ(std::ranges::find(now, victim), now.end());
    EXPECT_EQ(service_->state().workers_lost, 1U);
}

TEST_F(ScanServiceSystem, AFileWhoseWorkerIsKilledInMidScanStillGetsItsVerdict) {
    kill_in_mid_scan(SIGKILL);
}

TEST_F(ScanServiceSystem, AFileWhoseWorkerCrashesInMidScanStillGetsItsVerdict) {
    kill_in_mid_scan(SIGSEGV);
}

TEST_F(ScanServiceSystem, AStoppedWorkerIsKilledAtItsDeadlineAndTheFileGetsItsVerdict) {
    start_ready(1);
    const auto victim = service_->state().workers.front();
    ::kill(victim, SIGSTOP);
    EXPECT_EQ(scan("harmless", 700ms).kind, VerdictKind::Clean);
    ASSERT_EQ(recorder_.told().losses.size(), 1U);
    EXPECT_EQ(recorder_.told().losses.front().pid, victim);
    EXPECT_THAT(recorder_.told().losses.front().how, StartsWith("deadline"));
}

TEST_F(ScanServiceSystem, AKilledZygoteIsBackWithinSecondsAndThePendingRequestIsAnswered) {
    start_ready(1);
    const auto before = service_->state();
    const auto file = memory_file(marker("HANG"));
    const auto request = request_of(file);
    auto verdict = std::async(std::launch::async, [&] { return service_->scan(request); });
    const auto worker = before.workers.front();
    ASSERT_TRUE(eventually([&] { return holds_memory_file(worker) && state_of(worker) == 'S'; }));
    ASSERT_EQ(::pwrite(file.get(), "harmless-now", 12, 0), 12);
    ::kill(before.zygote, SIGKILL);
    const auto killed = SteadyClock::now();
    EXPECT_EQ(verdict.get().kind, VerdictKind::Clean);
    EXPECT_LT(SteadyClock::now() - killed, 10s);
    EXPECT_NE(service_->state().zygote, before.zygote);
    const auto losses = recorder_.told().losses;
    ASSERT_EQ(losses.size(), 1U);
    EXPECT_TRUE(losses.front().zygote);
    // Nobody of the old crew is left.
    EXPECT_TRUE(eventually([&] { return state_of(worker) == 'X' || state_of(worker) == 'Z'; }));
}

TEST_F(ScanServiceSystem, AStoppedZygoteIsFoundOutAndReplaced) {
    start_ready(2);
    const auto before = service_->state();
    ::kill(before.zygote, SIGSTOP);
    ::kill(before.workers.front(), SIGKILL);
    EXPECT_EQ(scan("harmless").kind, VerdictKind::Clean);
    ASSERT_TRUE(recorder_.wait_ready(2));
    EXPECT_NE(service_->state().zygote, before.zygote);
    EXPECT_EQ(scan("first-bad-text").kind, VerdictKind::Infected);
}

TEST_F(ScanServiceSystem, StoppingLeavesNoProcessBehind) {
    start_ready(4);
    auto state = service_->state();
    const auto before = SteadyClock::now();
    service_.reset();
    EXPECT_LT(SteadyClock::now() - before, 1s);
    state.workers.push_back(state.zygote);
    for (const auto pid : state.workers) {
        EXPECT_TRUE(eventually([&] { return state_of(pid) == 'X'; }, 2s)) << pid;
    }
}

TEST_F(ScanServiceSystem, TheNextVerdictAfterTheDeathOfTheOnlyWorkerComesWithinMoments) {
    start_ready(1);
    std::vector<double> milliseconds;
    for (int i = 0; i < 20; ++i) {
        const auto victim = service_->state().workers.at(0);
        const auto before = SteadyClock::now();
        ASSERT_EQ(::kill(victim, SIGKILL), 0);
        ASSERT_EQ(scan("harmless").kind, VerdictKind::Clean);
        milliseconds.push_back(
            std::chrono::duration<double, std::milli>(SteadyClock::now() - before).count());
        ASSERT_TRUE(eventually([&] {
            const auto now = service_->state().workers;
            return now.size() == 1 && now.front() != victim;
        }));
    }
    std::ranges::sort(milliseconds);
    RecordProperty("median_milliseconds", std::to_string(milliseconds[10]));
    std::cout << "worker's death to next verdict: median " << milliseconds[10] << " ms, worst "
              << milliseconds.back() << " ms\n";
    // Far below a reload of the definitions, even on a busy machine.
    EXPECT_LT(milliseconds[10], 500.0);
}

}  // namespace
}  // namespace vigia
