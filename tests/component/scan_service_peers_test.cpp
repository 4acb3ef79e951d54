// SPDX-License-Identifier: GPL-2.0-or-later
// The daemon's side of the scan children against peers that break every rule. This program plays
// both parts: started as a child of the services it is the peer (support/fake_scand).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "base/files.h"
#include "scan/hash_service.h"
#include "scan/scan_service.h"
#include "support/fake_scand.h"
#include "support/scan_recorder.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using scan::HashService;
using scan::ScanService;
using test::eventually;
using test::memory_file;
using test::request_of;
using testing::HasSubstr;

std::filesystem::path self() {
    return std::filesystem::read_symlink("/proc/self/exe");
}

ScanService::DefinitionSet some_set(std::string generation = "one") {
    ScanService::DefinitionSet set{.generation = std::move(generation), .folders = {}};
    set.folders.push_back(*open_at(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
    return set;
}

bool contains(const std::vector<pid_t>& pids, pid_t pid) {
    return std::ranges::find(pids, pid) != pids.end();
}

bool is_alive(pid_t pid) {
    const auto status = read_file("/proc/" + std::to_string(pid) + "/status", 16384);
    return status && status->find("\nState:\tZ") == std::string::npos;
}

class ScanServicePeers : public testing::Test {
protected:
    ~ScanServicePeers() override {
        service_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    void start(const std::string& role, unsigned workers = 2, ScanService::Options options = {}) {
        options.program = options.program.empty() ? self() : options.program;
        options.user = role;
        options.workers = workers;
        options.retry_backoff = 20ms;
        auto service = ScanService::start(options, recorder_.observer());
        ASSERT_TRUE(service) << service.error().message();
        service_ = *std::move(service);
        service_->load(some_set());
    }

    void start_ready(const std::string& role = "good", unsigned workers = 2) {
        start(role, workers);
        ASSERT_TRUE(recorder_.wait_ready());
        ASSERT_TRUE(all_ready(workers));
    }

    bool all_ready(unsigned workers) {
        return eventually([&] { return service_->state().workers_ready == workers; });
    }

    Verdict scan(const std::string& content, std::chrono::milliseconds timeout = 20s) {
        const auto file = memory_file(content);
        auto request = request_of(file);
        request.timeout = timeout;
        return service_->scan(request);
    }

    // Content on which the first worker does `what`, and later ones find it clean.
    std::string once(const std::string& what) {
        if (folder_.empty()) {
            std::string name = (std::filesystem::temp_directory_path() / "vigia-XXXXXX").native();
            folder_ = ::mkdtemp(name.data());
        }
        return "once:" + (folder_ / std::to_string(++markers_)).native() + ":" + what;
    }

    void expect_load_failure(const std::string& role, const std::string& cause) {
        start(role);
        ASSERT_TRUE(recorder_.wait_failed());
        EXPECT_EQ(recorder_.told().failures.front().cause, cause)
            << recorder_.told().failures.front().message;
        EXPECT_TRUE(recorder_.told().ready.empty());
    }

    void expect_hostile_at_load(const std::string& role) {
        expect_load_failure(role, "exec-failed");
        ASSERT_TRUE(recorder_.wait([](const auto& told) { return !told.losses.empty(); }));
        const auto told = recorder_.told();
        EXPECT_TRUE(told.losses.front().zygote);
        EXPECT_THAT(told.losses.front().how, HasSubstr("protocol violation"));
        EXPECT_TRUE(eventually([&] { return !is_alive(told.losses.front().pid); }));
    }

    void expect_survived_once(const std::string& what, const std::string& how) {
        start_ready();
        EXPECT_EQ(scan(once(what), 1s).kind, VerdictKind::Clean);
        const auto losses = recorder_.told().losses;
        ASSERT_EQ(losses.size(), 1U);
        EXPECT_FALSE(losses.front().zygote);
        EXPECT_THAT(losses.front().how, HasSubstr(how));
        EXPECT_EQ(service_->state().workers_lost, 1U);
        EXPECT_TRUE(all_ready(2));
    }

    test::ScanRecorder recorder_;
    std::unique_ptr<ScanService> service_;
    std::filesystem::path folder_;
    int markers_ = 0;
};

TEST_F(ScanServicePeers, GiveVerdictsThroughTheWholeChain) {
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

TEST_F(ScanServicePeers, AnEngineErrorIsNeitherCleanNorADetectionAndHarmlessToPrint) {
    start_ready();
    const auto verdict = scan("error");
    EXPECT_EQ(verdict.kind, VerdictKind::Failed);
    EXPECT_EQ(verdict.reason, "engine-error");
    EXPECT_THAT(verdict.detail, HasSubstr("broken\\narchive"));
}

TEST_F(ScanServicePeers, AWorkerThatMetMalwareIsReplacedAndThatIsNoLoss) {
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

TEST_F(ScanServicePeers, WorkersAreRecycledAfterTheirShareOfFiles) {
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

TEST_F(ScanServicePeers, AMalformedAnswerCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("malformed", "protocol violation: malformed");
}

TEST_F(ScanServicePeers, AnAnswerToAnotherRequestCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("wrong-id", "protocol violation: answered another request");
}

TEST_F(ScanServicePeers, AnOversizedAnswerCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("oversized", "protocol violation: oversized");
}

TEST_F(ScanServicePeers, AnAnswerWithADescriptorCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("descriptor", "protocol violation: sent a descriptor");
}

TEST_F(ScanServicePeers, AThreatNameWithEscapesCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("dirty-name", "protocol violation: unprintable");
}

TEST_F(ScanServicePeers, AClosedSocketOfALivingWorkerCostsOneWorkerAndNotTheVerdict) {
    expect_survived_once("close", "protocol violation: closed its socket");
}

TEST_F(ScanServicePeers, ASilentWorkerIsKilledAtItsDeadlineAndTheFileGetsItsVerdict) {
    expect_survived_once("silent", "deadline after 1 s");
}

TEST_F(ScanServicePeers, ACrashIsToldWithItsSignalAndTheFileGetsItsVerdict) {
    expect_survived_once("abort", "signal 6 (Aborted)");
}

TEST_F(ScanServicePeers, AnExitIsToldWithItsStatusAndTheFileGetsItsVerdict) {
    expect_survived_once("exit", "exit status 7");
}

TEST_F(ScanServicePeers, AWorkerThatTalksOnIsNotBelievedAboutTheNextFile) {
    start_ready("good", 1);
    EXPECT_EQ(scan("chatter").kind, VerdictKind::Clean);
    EXPECT_EQ(scan("infected").kind, VerdictKind::Infected);
    ASSERT_EQ(recorder_.told().losses.size(), 1U);
    EXPECT_THAT(recorder_.told().losses.front().how, HasSubstr("protocol violation"));
}

TEST_F(ScanServicePeers, ContentThatKillsTwoWorkersIsUnscannableWithTheEvidence) {
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

TEST_F(ScanServicePeers, ContentThatIsLateTwiceIsUnscannableForItsTime) {
    start_ready();
    const auto verdict = scan("silent", 200ms);
    EXPECT_EQ(verdict.kind, VerdictKind::Unscannable);
    EXPECT_EQ(verdict.reason, "timeout");
}

TEST_F(ScanServicePeers, OneCrashAndOneDeadlineAreStillTwoWorkers) {
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

TEST_F(ScanServicePeers, AnUnreadableDescriptorIsTheCallersFaultNotTheWorkers) {
    start_ready("good", 1);
    const auto before = service_->state().workers;
    const auto verdict = service_->scan({.file = 100'000});
    EXPECT_EQ(verdict.kind, VerdictKind::Failed);
    EXPECT_EQ(verdict.reason, "read-error");
    EXPECT_EQ(service_->state().workers, before);
}

TEST_F(ScanServicePeers, AnIdleWorkerThatIsKilledIsALossWithoutContentAndReplaced) {
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

TEST_F(ScanServicePeers, UrgentRequestsPassThoseThatWait) {
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

TEST_F(ScanServicePeers, ARequestThatFindsNoFreeWorkerIsToldSoInTime) {
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

TEST_F(ScanServicePeers, ManyCallersAndAFileThatKillsWorkersAreAllAnsweredOnce) {
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

TEST_F(ScanServicePeers, TheNumberOfWorkersChangesWhileRunning) {
    start_ready("good", 1);
    service_->set_workers(6);
    EXPECT_TRUE(all_ready(6));
    service_->set_workers(2);
    EXPECT_TRUE(all_ready(2));
    EXPECT_EQ(scan("clean").kind, VerdictKind::Clean);
    EXPECT_EQ(service_->state().workers_lost, 0U);
}

TEST_F(ScanServicePeers, ADeadZygoteIsRestartedAndTheRequestInFlightIsAnswered) {
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

TEST_F(ScanServicePeers, NewDefinitionsTakeOverWhileTheOldFinishWhatTheyHave) {
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

TEST_F(ScanServicePeers, DefinitionsThatFailLeaveTheOldInUse) {
    start_ready();
    service_->load({.generation = "empty", .folders = {}});
    ASSERT_TRUE(recorder_.wait_failed());
    EXPECT_EQ(recorder_.told().failures.front().cause, "no-definitions");
    EXPECT_EQ(service_->state().state, "ready");
    EXPECT_EQ(service_->state().engine->generation, "one");
    EXPECT_EQ(scan("clean").kind, VerdictKind::Clean);
}

TEST_F(ScanServicePeers, StoppingAnswersEverybodyAndEndsAllChildrenWithinASecond) {
    start_ready();
    const auto state = service_->state();
    std::vector<std::future<Verdict>> stuck;
    for (int i = 0; i < 2; ++i) {
        const auto content = once("silent");
        stuck.push_back(std::async(std::launch::async, [this, content] { return scan(content); }));
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

TEST_F(ScanServicePeers, AForgedPidfdNeverKillsAnybodyButTheForger) {
    expect_hostile_at_load("forges-pidfd");
}

TEST_F(ScanServicePeers, AProcessThatIsNotItsChildIsNoWorker) {
    expect_hostile_at_load("forges-pid");
}

TEST_F(ScanServicePeers, SomethingElseThanAPidfdIsNoWorker) {
    expect_hostile_at_load("sends-no-pidfd");
}

TEST_F(ScanServicePeers, AWorkerWithoutAPidfdIsNoWorker) {
    expect_hostile_at_load("sends-nothing");
}

TEST_F(ScanServicePeers, AWorkerThatNobodyAskedForIsAViolation) {
    expect_hostile_at_load("wrong-slot");
}

TEST_F(ScanServicePeers, AMalformedMessageOfTheZygoteIsAViolation) {
    expect_hostile_at_load("malformed-load");
}

TEST_F(ScanServicePeers, AnOversizedMessageOfTheZygoteIsAViolation) {
    expect_hostile_at_load("oversized-load");
}

TEST_F(ScanServicePeers, LoadingTwiceIsAViolation) {
    expect_hostile_at_load("loads-twice");
}

TEST_F(ScanServicePeers, AZygoteThatClosesItsSocketAndLivesOnIsAViolation) {
    expect_hostile_at_load("close-at-load");
}

TEST_F(ScanServicePeers, AForgerInOfficeIsReplacedAndRequestsGoOn) {
    start("forges-later", 2);
    ASSERT_TRUE(recorder_.wait([](const auto& told) { return !told.losses.empty(); }));
    EXPECT_TRUE(recorder_.told().losses.front().zygote);
    EXPECT_THAT(recorder_.told().losses.front().how, HasSubstr("sent the pidfd of"));
    EXPECT_TRUE(recorder_.wait_ready(2));
}

TEST_F(ScanServicePeers, ARejectedLoadNamesTheFileHarmlessly) {
    expect_load_failure("reject", "definitions-rejected");
    const auto failure = recorder_.told().failures.front();
    EXPECT_EQ(failure.file, "bad\\n.hdb");
    EXPECT_EQ(failure.message, "Malformed\\x1b database");
    EXPECT_EQ(service_->state().state, "failed");
    // It is tried again.
    EXPECT_TRUE(recorder_.wait_failed(3));
}

TEST_F(ScanServicePeers, AKilledLoadIsToldAsLackOfMemory) {
    expect_load_failure("sigkill-at-load", "out-of-memory");
}

TEST_F(ScanServicePeers, AForbiddenSystemCallAtLoadIsToldAsTheSandbox) {
    expect_load_failure("sigsys-at-load", "sandbox-failed");
}

TEST_F(ScanServicePeers, ACrashAtLoadIsToldAsTheDefinitions) {
    expect_load_failure("sigsegv-at-load", "definitions-rejected");
}

TEST_F(ScanServicePeers, ALoadThatEndsWithoutAWordIsToldAsTheProgram) {
    expect_load_failure("exit-at-load", "exec-failed");
}

TEST_F(ScanServicePeers, ALoadThatTakesTooLongIsStopped) {
    start("silent-load", 1, {.program = self(), .load_timeout = 200ms});
    ASSERT_TRUE(recorder_.wait_failed());
    EXPECT_EQ(recorder_.told().failures.front().cause, "start-timeout");
}

TEST_F(ScanServicePeers, AMissingProgramFailsRequestsAfterAFewSecondsNotMinutes) {
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

TEST_F(ScanServicePeers, WorkersThatDieAtOnceAreNotStartedInALoop) {
    start("stillborn", 4);
    ASSERT_TRUE(recorder_.wait([](const auto& told) { return told.losses.size() >= 5; }));
    const auto before = recorder_.told().losses.size();
    std::this_thread::sleep_for(1500ms);  // the time over which the rate is measured
    const auto more = recorder_.told().losses.size() - before;
    EXPECT_LT(more, 30U);
    // The one that lives goes on serving.
    EXPECT_EQ(scan("clean").kind, VerdictKind::Clean);
}

TEST_F(ScanServicePeers, AZygoteThatDoesNotTellTheEndOfWorkersDoesNotStopTheService) {
    start_ready("tells-no-end", 1);
    EXPECT_EQ(scan(once("exit")).kind, VerdictKind::Clean);
    EXPECT_THAT(recorder_.told().losses.front().how, HasSubstr("not told"));
    // It is found out and replaced.
    ASSERT_TRUE(recorder_.wait_ready(2));
}

class HashServicePeers : public testing::Test {
protected:
    void SetUp() override {
        auto service = HashService::start(self(), 2);
        ASSERT_TRUE(service) << service.error().message();
        service_ = *std::move(service);
    }

    Result<HashService::Digest> hash(const std::string& content,
                                     std::chrono::milliseconds timeout = 5s) {
        return service_->hash(memory_file(content).get(), timeout);
    }

    std::unique_ptr<HashService> service_;
};

TEST_F(HashServicePeers, AnswerManyCallersAtOnce) {
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 8; ++i) {
        callers.push_back(std::async(std::launch::async, [this] {
            for (int k = 0; k < 50; ++k) {
                const auto digest = hash("clean");
                ASSERT_TRUE(digest) << digest.error().message();
                EXPECT_EQ(digest->size, 5U);
            }
        }));
    }
}

TEST_F(HashServicePeers, AreReplacedWhenTheyBreakTheRulesAndTheCallerGetsAnError) {
    for (const auto* what : {"wrong-id", "malformed", "oversized", "close", "exit", "abort"}) {
        EXPECT_FALSE(hash(what)) << what;
        const auto next = hash("clean");
        EXPECT_TRUE(next) << what << ": " << next.error().message();
    }
}

TEST_F(HashServicePeers, AreKilledAtTheDeadline) {
    const auto before = std::chrono::steady_clock::now();
    const auto digest = hash("silent", 200ms);
    ASSERT_FALSE(digest);
    EXPECT_EQ(digest.error().code, std::errc::timed_out);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
    EXPECT_TRUE(hash("clean"));
}

TEST_F(HashServicePeers, TellTheErrorOfTheFile) {
    const auto digest = hash("error");
    ASSERT_FALSE(digest);
    EXPECT_EQ(digest.error().code.value(), EIO);
}

TEST(HashServiceStart, SaysThatTheProgramIsMissing) {
    const auto service = HashService::start("/nonexistent/vigia-hash", 1);
    ASSERT_FALSE(service);
    EXPECT_THAT(service.error().message(), HasSubstr("/nonexistent/vigia-hash"));
}

}  // namespace
}  // namespace vigia

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv, argv + argc);
    if (words.size() == 5 && words[1] == "--socket-fd") {
        return vigia::test::fake_scand(std::stoi(words[2]), words[4]);
    }
    testing::InitGoogleMock(&argc, argv);
    return RUN_ALL_TESTS();
}
