// SPDX-License-Identifier: GPL-2.0-or-later
// ScanService and its workers against peers that break every rule. This program plays both parts:
// started as a child of the service it is the peer (support/fake_scand).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <vector>

#include "support/fake_scand.h"
#include "support/scan_peers_fixture.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using test::contains;
using test::eventually;
using test::is_alive;
using test::memory_file;
using test::request_of;
using test::self;
using testing::HasSubstr;
using ScanWorkerPeers = test::ScanServicePeers;

TEST_F(ScanWorkerPeers, GiveVerdictsThroughTheWholeChain) {
    start_ready();
    EXPECT_EQ(scan("clean").kind, VerdictKind::Clean);
    const auto infected = scan("infected");
    EXPECT_EQ(infected.kind, VerdictKind::Infected);
    EXPECT_EQ(infected.threat, "Fake.Threat");
    const auto state = service_->state();
    EXPECT_EQ(state.state, "ready");
    EXPECT_EQ(state.engine->signatures, 42U);
    EXPECT_EQ(state.engine->built_unix, 1'700'000'000);
    EXPECT_EQ(state.sandbox, "none");
    EXPECT_FALSE(state.user.empty());
    EXPECT_EQ(state.workers_lost, 0U);
    EXPECT_TRUE(recorder_.told().losses.empty());
}

TEST_F(ScanWorkerPeers, AnEngineErrorIsNeitherCleanNorADetectionAndHarmlessToPrint) {
    start_ready();
    const auto verdict = scan("error");
    EXPECT_EQ(verdict.kind, VerdictKind::Failed);
    EXPECT_EQ(verdict.reason, "engine-error");
    EXPECT_THAT(verdict.detail, HasSubstr("broken\\narchive"));
}

TEST_F(ScanWorkerPeers, AWorkerThatMetMalwareIsReplacedAndThatIsNoLoss) {
    start_ready("good", 1);
    const auto before = service_->state().workers;
    EXPECT_EQ(scan("infected").kind, VerdictKind::Infected);
    ASSERT_TRUE(eventually([&] {
        const auto now = service_->state().workers;
        return now.size() == 1 && now != before;
    }));
    EXPECT_TRUE(eventually([&] { return !is_alive(before.front()); }));
    EXPECT_EQ(service_->state().workers_lost, 0U);
}

TEST_F(ScanWorkerPeers, WorkersAreRecycledAfterTheirShareOfFiles) {
    start("good", 2, {.program = self(), .recycle_after = 10});
    ASSERT_TRUE(recorder_.wait_ready());
    ASSERT_TRUE(all_ready(2));
    const auto before = service_->state().workers;
    for (int i = 0; i < 30; ++i) {
        ASSERT_EQ(scan("clean").kind, VerdictKind::Clean);
    }
    ASSERT_TRUE(eventually([&] {
        const auto now = service_->state().workers;
        return now.size() == 2 && !contains(now, before[0]) && !contains(now, before[1]);
    }));
    EXPECT_EQ(service_->state().workers_lost, 0U);
}

TEST_F(ScanWorkerPeers, AMalformedAnswerCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("malformed", "protocol violation: malformed");
}

TEST_F(ScanWorkerPeers, AnAnswerToAnotherRequestCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("wrong-id", "protocol violation: answered another request");
}

TEST_F(ScanWorkerPeers, AnOversizedAnswerCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("oversized", "protocol violation: oversized");
}

TEST_F(ScanWorkerPeers, AnAnswerWithADescriptorCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("descriptor", "protocol violation: sent a descriptor");
}

TEST_F(ScanWorkerPeers, AThreatNameWithEscapesCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("dirty-name", "protocol violation: unprintable");
}

TEST_F(ScanWorkerPeers, AClosedSocketOfALivingWorkerCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("close", "protocol violation: closed its socket");
}

TEST_F(ScanWorkerPeers, ASilentWorkerIsKilledAtItsDeadlineAndTheFileGetsItsVerdict) {
    expect_survived_once("silent", "deadline after 1 s");
}

TEST_F(ScanWorkerPeers, ACrashIsToldWithItsSignalAndTheFileGetsItsVerdict) {
    expect_survived_once("abort", "signal 6 (Aborted)");
}

TEST_F(ScanWorkerPeers, AnExitIsToldWithItsStatusAndTheFileGetsItsVerdict) {
    expect_survived_once("exit", "exit status 7");
}

TEST_F(ScanWorkerPeers, AWorkerThatTalksOnIsNotBelievedAboutTheNextFile) {
    start_ready("good", 1);
    EXPECT_EQ(scan("chatter").kind, VerdictKind::Clean);
    EXPECT_EQ(scan("infected").kind, VerdictKind::Infected);
    ASSERT_EQ(recorder_.told().losses.size(), 1U);
    EXPECT_THAT(recorder_.told().losses.front().how, HasSubstr("protocol violation"));
}

TEST_F(ScanWorkerPeers, ContentThatKillsTwoWorkersIsUnscannableWithTheEvidence) {
    start_ready();
    const auto file = memory_file("abort");
    auto request = request_of(file);
    request.content = Sha256{.bytes = {std::byte{7}}};
    request.path_hint = "/somewhere/bad";
    const auto verdict = service_->scan(request);
    EXPECT_EQ(verdict.kind, VerdictKind::Unscannable);
    EXPECT_EQ(verdict.reason, "kills-workers");
    EXPECT_THAT(verdict.detail, HasSubstr("signal 6 (Aborted); then signal 6 (Aborted)"));
    EXPECT_EQ(verdict.sha256, request.content);
    // Both losses were told before the verdict they led to.
    const auto losses = recorder_.told().losses;
    ASSERT_EQ(losses.size(), 2U);
    EXPECT_EQ(losses[1].content, request.content);
    EXPECT_EQ(losses[1].path, "/somewhere/bad");
    EXPECT_EQ(losses[1].size, 5U);
}

TEST_F(ScanWorkerPeers, ContentThatIsLateTwiceIsUnscannableForItsTime) {
    start_ready();
    const auto verdict = scan("silent", 200ms);
    EXPECT_EQ(verdict.kind, VerdictKind::Unscannable);
    EXPECT_EQ(verdict.reason, "timeout");
}

TEST_F(ScanWorkerPeers, OneCrashAndOneDeadlineAreStillTwoWorkers) {
    start_ready();
    const auto file = memory_file("silent");
    auto request = request_of(file);
    request.timeout = 600ms;
    auto verdict = std::async(std::launch::async, [&] { return service_->scan(request); });
    // The first attempt goes to the worker that has been idle longest: the first one.
    for (const auto pid : service_->state().workers) {
        ::kill(pid, SIGSEGV);
    }
    const auto got = verdict.get();
    EXPECT_EQ(got.kind, VerdictKind::Unscannable) << got.reason << got.detail;
}

TEST_F(ScanWorkerPeers, AnUnreadableDescriptorIsTheCallersFaultNotTheWorkers) {
    start_ready("good", 1);
    const auto before = service_->state().workers;
    const auto verdict = service_->scan({.file = 100'000});
    EXPECT_EQ(verdict.kind, VerdictKind::Failed);
    EXPECT_EQ(verdict.reason, "read-error");
    EXPECT_EQ(service_->state().workers, before);
}

TEST_F(ScanWorkerPeers, AnIdleWorkerThatIsKilledIsALossWithoutContentAndReplaced) {
    start_ready();
    const auto victim = service_->state().workers.front();
    ::kill(victim, SIGKILL);
    ASSERT_TRUE(recorder_.wait([](const auto& told) { return !told.losses.empty(); }));
    const auto loss = recorder_.told().losses.front();
    EXPECT_EQ(loss.pid, victim);
    EXPECT_THAT(loss.how, HasSubstr("signal 9"));
    EXPECT_FALSE(loss.content);
    ASSERT_TRUE(all_ready(2));
    EXPECT_FALSE(contains(service_->state().workers, victim));
}

TEST_F(ScanWorkerPeers, UrgentRequestsPassThoseThatWait) {
    start_ready("good", 1);
    std::atomic<int> done = 0;
    std::vector<std::future<void>> ordinary;
    for (int i = 0; i < 4; ++i) {
        ordinary.push_back(std::async(std::launch::async, [&] {
            EXPECT_EQ(scan("slow").kind, VerdictKind::Clean);
            ++done;
        }));
    }
    const auto file = memory_file("clean");
    auto request = request_of(file);
    request.urgent = true;
    EXPECT_EQ(service_->scan(request).kind, VerdictKind::Clean);
    EXPECT_LE(done, 2);
}

TEST_F(ScanWorkerPeers, ARequestThatFindsNoFreeWorkerIsToldSoInTime) {
    start_ready("good", 1);
    const auto content = once("silent");
    auto busy = std::async(std::launch::async, [&] { return scan(content, 1500ms); });
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder_ / "1"); }));
    const auto file = memory_file("clean");
    auto request = request_of(file);
    request.queue_timeout = 100ms;
    EXPECT_EQ(service_->scan(request).reason, "service-not-ready");
    EXPECT_EQ(busy.get().kind, VerdictKind::Clean);
}

TEST_F(ScanWorkerPeers, ManyCallersAndAFileThatKillsWorkersAreAllAnsweredOnce) {
    start_ready("good", 4);
    std::atomic<int> clean = 0;
    std::atomic<int> unscannable = 0;
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 20; ++i) {
        callers.push_back(std::async(std::launch::async, [&, i] {
            for (int k = 0; k < 20; ++k) {
                const auto verdict = scan(i == 0 ? "exit" : "clean");
                clean += verdict.kind == VerdictKind::Clean ? 1 : 0;
                unscannable += verdict.kind == VerdictKind::Unscannable ? 1 : 0;
            }
        }));
    }
    callers.clear();
    EXPECT_EQ(clean, 19 * 20);
    EXPECT_EQ(unscannable, 20);
    EXPECT_EQ(service_->state().workers_lost, 40U);
}

TEST_F(ScanWorkerPeers, TheNumberOfWorkersChangesWhileRunning) {
    start_ready("good", 1);
    service_->set_workers(6);
    EXPECT_TRUE(all_ready(6));
    service_->set_workers(2);
    EXPECT_TRUE(all_ready(2));
    EXPECT_EQ(scan("clean").kind, VerdictKind::Clean);
    EXPECT_EQ(service_->state().workers_lost, 0U);
}

}  // namespace
}  // namespace vigia

int main(int argc, char** argv) {
    return vigia::test::be_peer_or_run_tests(argc, argv);
}
