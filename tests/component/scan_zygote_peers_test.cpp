// SPDX-License-Identifier: GPL-2.0-or-later
// ScanService and its zygotes against peers that break every rule. This program plays both parts:
// started as a child of the service it is the peer (support/fake_scand).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "support/fake_scand.h"
#include "support/scan_peers_fixture.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using scan::ScanService;
using test::eventually;
using test::is_alive;
using test::memory_file;
using test::request_of;
using test::self;
using test::some_set;
using testing::HasSubstr;
using ScanZygotePeers = test::ScanServicePeers;

TEST_F(ScanZygotePeers, ADeadZygoteIsRestartedAndTheRequestInFlightIsAnswered) {
    start_ready();
    const auto zygote = service_->state().zygote;
    auto verdict = std::async(std::launch::async, [&] { return scan("slow"); });
    ::kill(zygote, SIGKILL);
    EXPECT_EQ(verdict.get().kind, VerdictKind::Clean);
    ASSERT_TRUE(recorder_.wait_ready(2));
    const auto losses = recorder_.told().losses;
    ASSERT_EQ(losses.size(), 1U);
    EXPECT_TRUE(losses.front().zygote);
    EXPECT_EQ(losses.front().pid, zygote);
    EXPECT_THAT(losses.front().how, HasSubstr("signal 9"));
    EXPECT_EQ(service_->state().workers_lost, 0U);
}

TEST_F(ScanZygotePeers, NewDefinitionsTakeOverWhileTheOldFinishWhatTheyHave) {
    start_ready();
    const auto old = service_->state();
    std::vector<std::future<Verdict>> slow;
    for (int i = 0; i < 6; ++i) {
        slow.push_back(std::async(std::launch::async, [&] { return scan("slow"); }));
    }
    service_->load(some_set("two"));
    ASSERT_TRUE(recorder_.wait_ready(2));
    EXPECT_EQ(service_->state().engine->generation, "two");
    for (auto& verdict : slow) {
        EXPECT_EQ(verdict.get().kind, VerdictKind::Clean);
    }
    EXPECT_NE(service_->state().zygote, old.zygote);
    EXPECT_TRUE(eventually([&] { return !is_alive(old.zygote) && !is_alive(old.workers[0]); }));
    EXPECT_TRUE(recorder_.told().losses.empty());
    EXPECT_EQ(service_->state().workers_lost, 0U);
}

TEST_F(ScanZygotePeers, DefinitionsThatFailLeaveTheOldInUse) {
    start_ready();
    service_->load({.generation = "empty", .folders = {}});
    ASSERT_TRUE(recorder_.wait_failed());
    EXPECT_EQ(recorder_.told().failures.front().cause, "no-definitions");
    EXPECT_EQ(service_->state().state, "ready");
    EXPECT_EQ(service_->state().engine->generation, "one");
    EXPECT_EQ(scan("clean").kind, VerdictKind::Clean);
}

TEST_F(ScanZygotePeers, StoppingAnswersEverybodyAndEndsAllChildrenWithinASecond) {
    start_ready();
    const auto state = service_->state();
    ScanService* const service = service_.get();
    std::vector<std::future<Verdict>> stuck;
    for (int i = 0; i < 2; ++i) {
        const auto content = once("silent");
        stuck.push_back(std::async(std::launch::async, [service, content] {
            const auto file = memory_file(content);
            return service->scan(request_of(file));
        }));
        // Its worker has read it.
        ASSERT_TRUE(eventually(
            [&] { return std::filesystem::exists(folder_ / std::to_string(markers_)); }));
    }
    const auto before = std::chrono::steady_clock::now();
    service_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
    EXPECT_FALSE(is_alive(state.zygote));
    EXPECT_FALSE(is_alive(state.workers.at(0)));
    EXPECT_FALSE(is_alive(state.workers.at(1)));
    for (auto& verdict : stuck) {
        EXPECT_EQ(verdict.get().reason, "service-not-ready");
    }
}

TEST_F(ScanZygotePeers, AForgedPidfdNeverKillsAnybodyButTheForger) {
    expect_hostile_at_load("forges-pidfd");
}

TEST_F(ScanZygotePeers, AProcessThatIsNotItsChildIsNoWorker) {
    expect_hostile_at_load("forges-pid");
}

TEST_F(ScanZygotePeers, SomethingElseThanAPidfdIsNoWorker) {
    expect_hostile_at_load("sends-no-pidfd");
}

TEST_F(ScanZygotePeers, AWorkerWithoutAPidfdIsNoWorker) {
    expect_hostile_at_load("sends-nothing");
}

TEST_F(ScanZygotePeers, AWorkerThatNobodyAskedForIsAViolation) {
    expect_hostile_at_load("wrong-slot");
}

TEST_F(ScanZygotePeers, AMalformedMessageOfTheZygoteIsAViolation) {
    expect_hostile_at_load("malformed-load");
}

TEST_F(ScanZygotePeers, AnOversizedMessageOfTheZygoteIsAViolation) {
    expect_hostile_at_load("oversized-load");
}

TEST_F(ScanZygotePeers, LoadingTwiceIsAViolation) {
    expect_hostile_at_load("loads-twice");
}

TEST_F(ScanZygotePeers, AZygoteThatClosesItsSocketAndLivesOnIsAViolation) {
    expect_hostile_at_load("close-at-load");
}

TEST_F(ScanZygotePeers, AForgerInOfficeIsReplacedAndRequestsGoOn) {
    start("forges-later", 2);
    ASSERT_TRUE(recorder_.wait([](const auto& told) { return !told.losses.empty(); }));
    EXPECT_TRUE(recorder_.told().losses.front().zygote);
    EXPECT_THAT(recorder_.told().losses.front().how, HasSubstr("sent the pidfd of"));
    EXPECT_TRUE(recorder_.wait_ready(2));
}

TEST_F(ScanZygotePeers, ARejectedLoadNamesTheFileHarmlessly) {
    expect_load_failure("reject", "definitions-rejected");
    const auto failure = recorder_.told().failures.front();
    EXPECT_EQ(failure.file, "bad\\n.hdb");
    EXPECT_EQ(failure.message, "Malformed\\x1b database");
    EXPECT_EQ(service_->state().state, "failed");
    // It is tried again.
    EXPECT_TRUE(recorder_.wait_failed(3));
}

TEST_F(ScanZygotePeers, AKilledLoadIsNotTakenForALackOfMemory) {
    start("sigkill-at-load");
    ASSERT_TRUE(recorder_.wait_failed());
    // Which of the two depends on whether the kernel's counter can be read where we run.
    const auto cause = recorder_.told().failures.front().cause;
    EXPECT_TRUE(cause == "killed" || cause == "killed-or-out-of-memory") << cause;
}

TEST_F(ScanZygotePeers, AForbiddenSystemCallAtLoadIsToldAsTheSandbox) {
    expect_load_failure("sigsys-at-load", "sandbox-failed");
}

TEST_F(ScanZygotePeers, ACrashAtLoadIsToldAsTheDefinitions) {
    expect_load_failure("sigsegv-at-load", "definitions-rejected");
}

TEST_F(ScanZygotePeers, ALoadThatEndsWithoutAWordIsToldAsTheProgram) {
    expect_load_failure("exit-at-load", "exec-failed");
}

TEST_F(ScanZygotePeers, ALoadThatTakesTooLongIsStopped) {
    start("silent-load", 1, {.program = self(), .load_timeout = 200ms});
    ASSERT_TRUE(recorder_.wait_failed());
    EXPECT_EQ(recorder_.told().failures.front().cause, "start-timeout");
}

TEST_F(ScanZygotePeers, AMissingProgramFailsRequestsAfterAFewSecondsNotMinutes) {
    start("good", 1, {.program = "/nonexistent/vigia-scand"});
    ASSERT_TRUE(recorder_.wait_failed());
    EXPECT_EQ(recorder_.told().failures.front().cause, "exec-failed");
    const auto before = std::chrono::steady_clock::now();
    const auto verdict = scan("clean");
    EXPECT_EQ(verdict.kind, VerdictKind::Failed);
    EXPECT_EQ(verdict.reason, "service-failed");
    EXPECT_THAT(verdict.detail, HasSubstr("/nonexistent/vigia-scand"));
    EXPECT_LT(std::chrono::steady_clock::now() - before, 8s);
}

TEST_F(ScanZygotePeers, WorkersThatDieAtOnceAreNotStartedInALoop) {
    start("stillborn", 4);
    ASSERT_TRUE(recorder_.wait([](const auto& told) { return told.losses.size() >= 5; }));
    const auto before = recorder_.told().losses.size();
    std::this_thread::sleep_for(1500ms);  // the time over which the rate is measured
    const auto more = recorder_.told().losses.size() - before;
    EXPECT_LT(more, 30U);
    // The one that lives goes on serving.
    EXPECT_EQ(scan("clean").kind, VerdictKind::Clean);
}

TEST_F(ScanZygotePeers, AZygoteThatDoesNotTellTheEndOfWorkersDoesNotStopTheService) {
    start_ready("tells-no-end", 1);
    EXPECT_EQ(scan(once("exit")).kind, VerdictKind::Clean);
    EXPECT_THAT(recorder_.told().losses.front().how, HasSubstr("not told"));
    // It is found out and replaced.
    ASSERT_TRUE(recorder_.wait_ready(2));
}

}  // namespace
}  // namespace vigia

int main(int argc, char** argv) {
    return vigia::test::be_peer_or_run_tests(argc, argv);
}
