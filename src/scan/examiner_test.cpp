// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/examiner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "scan/in_process_services.h"
#include "scan/sealed_copy.h"

// What does not depend on the file system below; what does is in tests/system/examiner_test.cpp.
namespace vigia::scan {
namespace {

using namespace std::chrono_literals;

std::string marker() {
    return std::string(in_process::Engine::kMarker);
}

class ExaminerTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = "/tmp/vigia-examiner-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        cache_->set_generation("g1");
    }

    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string make(const std::string& name, const std::string& content) const {
        const auto path = (folder_ / name).native();
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }

    [[nodiscard]] static Subject subject(const std::string& path) {
        return {.file = UniqueFd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)},
                .path_hint = path};
    }

    [[nodiscard]] Examination examine(const std::string& path) {
        return examiner_.examine(subject(path), policy_);
    }

    std::filesystem::path folder_;
    in_process::Engine engine_;
    in_process::Hasher hasher_;
    std::unique_ptr<VerdictCache> cache_ = *VerdictCache::open({});
    Examiner examiner_{engine_, hasher_, *cache_};
    Policy policy_;
};

TEST_F(ExaminerTest, EqualContentGoesToTheEngineOnce) {
    const auto first = examine(make("a", "content " + marker()));
    EXPECT_EQ(first.verdict.kind, VerdictKind::Infected);
    EXPECT_EQ(first.verdict.source, VerdictSource::Engine);
    EXPECT_EQ(first.verdict.size, 8 + marker().size());
    EXPECT_EQ(first.identity.size, 8 + marker().size());
    const auto second = examine(make("b", "content " + marker()));
    EXPECT_EQ(second.verdict.kind, VerdictKind::Infected);
    EXPECT_EQ(second.verdict.threat, "In.Process.Marker");
    EXPECT_EQ(second.verdict.source, VerdictSource::ContentCache);
    EXPECT_EQ(second.verdict.sha256, first.verdict.sha256);
    EXPECT_EQ(engine_.calls, 1U);
}

TEST_F(ExaminerTest, AnEmptyFileIsCleanWithoutAnEngine) {
    const auto examined = examine(make("empty", ""));
    EXPECT_EQ(examined.verdict.kind, VerdictKind::Clean);
    ASSERT_TRUE(examined.verdict.sha256);
    EXPECT_EQ(examined.verdict.sha256->hex().substr(0, 8), "e3b0c442");
    EXPECT_EQ(engine_.calls + hasher_.calls, 0U);
}

TEST_F(ExaminerTest, WhatIsTooLargeIsSaidAndNotRead) {
    policy_.files.max_file_size = 10;
    EXPECT_EQ(examine(make("fits", "0123456789")).verdict.kind, VerdictKind::Clean);
    const auto examined = examine(make("large", "0123456789a"));
    EXPECT_EQ(examined.verdict.kind, VerdictKind::Unscannable);
    EXPECT_EQ(examined.verdict.reason, "too-large");
    EXPECT_NE(examined.verdict.detail.find("max_file_size"), std::string::npos);
    EXPECT_EQ(engine_.calls, 1U);
}

TEST_F(ExaminerTest, WhatIsNoFileOrCannotBeReadFails) {
    const auto folder = examiner_.examine(
        {.file = UniqueFd{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}}, policy_);
    EXPECT_EQ(folder.verdict.kind, VerdictKind::Failed);
    EXPECT_EQ(folder.verdict.reason, "not-a-file");
    const auto path = make("unreadable", "x");
    const auto unreadable =
        examiner_.examine({.file = UniqueFd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)}}, policy_);
    EXPECT_EQ(unreadable.verdict.kind, VerdictKind::Failed);
    EXPECT_EQ(unreadable.verdict.reason, "read-error");
    EXPECT_EQ(examiner_.examine({}, policy_).verdict.reason, "read-error");
    EXPECT_EQ(engine_.calls, 0U);
}

TEST_F(ExaminerTest, TheListsDecideBeforeTheEngineAndAreNotRemembered) {
    const auto good = make("good", "good");
    const auto bad = make("bad", "bad " + marker());
    const auto good_hash = *examine(good).verdict.sha256;
    const auto bad_hash = *examine(bad).verdict.sha256;
    policy_.hashes.block.insert(good_hash);
    policy_.hashes.allow.insert(bad_hash);
    const auto blocked = examine(good);
    EXPECT_EQ(blocked.verdict.kind, VerdictKind::Infected);
    EXPECT_EQ(blocked.verdict.source, VerdictSource::BlockList);
    EXPECT_EQ(blocked.verdict.threat, "Vigia.Hash.Blocked");
    const auto allowed = examine(bad);
    EXPECT_EQ(allowed.verdict.kind, VerdictKind::Clean);
    EXPECT_EQ(allowed.verdict.source, VerdictSource::AllowList);
    policy_.hashes.block.insert(bad_hash);
    EXPECT_EQ(examine(bad).verdict.kind, VerdictKind::Infected) << "the block list is the stronger";
    policy_.hashes = {};
    EXPECT_EQ(examine(good).verdict.kind, VerdictKind::Clean);
    EXPECT_EQ(examine(bad).verdict.threat, "In.Process.Marker");
    EXPECT_EQ(engine_.calls, 2U);
}

TEST_F(ExaminerTest, WhatCouldNotBeHashedIsScannedAndNotRemembered) {
    hasher_.broken = true;
    const auto path = make("bad", marker());
    for (unsigned i = 1; i <= 2; ++i) {
        const auto examined = examine(path);
        EXPECT_EQ(examined.verdict.kind, VerdictKind::Infected);
        EXPECT_FALSE(examined.verdict.sha256);
        EXPECT_NE(examined.verdict.detail.find("not hashed"), std::string::npos);
        EXPECT_EQ(engine_.calls, i);
    }
    EXPECT_EQ(cache_->counters().contents, 0U);
}

TEST_F(ExaminerTest, AFailureIsNeitherRememberedNorClean) {
    engine_.before = [](const auto&) {
        return Verdict{.kind = VerdictKind::Failed, .reason = "service-not-ready"};
    };
    const auto path = make("bad", marker());
    EXPECT_EQ(examine(path).verdict.reason, "service-not-ready");
    engine_.before = {};
    EXPECT_EQ(examine(path).verdict.kind, VerdictKind::Infected);
    EXPECT_EQ(engine_.calls, 2U);
}

TEST_F(ExaminerTest, ASmallFileReplacedBetweenHashAndScanPoisonsNothing) {
    const auto path = make("file", "innocent");
    // What is hashed is the innocent content, and what the engine sees must be the same.
    hasher_.after = [&] { std::ofstream(path, std::ios::binary) << marker(); };
    const auto examined = examine(path);
    hasher_.after = {};
    EXPECT_EQ(examined.verdict.kind, VerdictKind::Clean);
    EXPECT_FALSE(examined.stable);
    EXPECT_EQ(examine(make("innocent", "innocent")).verdict.kind, VerdictKind::Clean);
    EXPECT_EQ(examine(path).verdict.kind, VerdictKind::Infected);
}

TEST_F(ExaminerTest, WhatIsScannedOfASmallFileIsASealedCopy) {
    bool sealed = false;
    engine_.before = [&](const ScanService::Request& request) -> std::optional<Verdict> {
        const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
        sealed = (::fcntl(request.file, F_GET_SEALS) & all) == all;
        return std::nullopt;
    };
    const std::string content(200'000, 'c');
    const auto examined = examine(make("file", content));
    EXPECT_TRUE(sealed);
    EXPECT_EQ(examined.verdict.size, content.size());
}

TEST_F(ExaminerTest, ACopyHasWhatTheFileHasUpToItsLimit) {
    for (const std::size_t size : {std::size_t{1},
                                   std::size_t{65536},
                                   std::size_t{65537},
                                   std::size_t{1'000'000},
                                   std::size_t{1} << 20U}) {
        std::string content(size, 'x');
        content.back() = 'y';
        const auto file = subject(make("file", content));
        const auto copy = copy_sealed(file.file.get(), std::uint64_t{1} << 20U);
        ASSERT_TRUE(copy && *copy);
        EXPECT_EQ((*copy)->size, size);
        EXPECT_TRUE(in_process::content_of((*copy)->file.get()) == content);
        EXPECT_EQ(::ftruncate((*copy)->file.get(), 0), -1);
        EXPECT_EQ(::pwrite((*copy)->file.get(), "z", 1, 0), -1);
        EXPECT_EQ(::mmap(nullptr, 1, PROT_WRITE, MAP_SHARED, (*copy)->file.get(), 0), MAP_FAILED);
    }
    const auto larger = subject(make("larger", std::string((1U << 20U) + 1, 'x')));
    const auto copy = copy_sealed(larger.file.get(), std::uint64_t{1} << 20U);
    ASSERT_TRUE(copy);
    EXPECT_FALSE(*copy);
}

TEST_F(ExaminerTest, EqualContentOnTwoLanesAtOnceGoesToTheEngineOnce) {
    constexpr int kLanes = 4;
    std::atomic<int> at_the_hash = 0;
    // The engine answers only once every lane has passed the hash.
    hasher_.after = [&] { ++at_the_hash; };
    engine_.before = [&](const auto&) -> std::optional<Verdict> {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (at_the_hash < kLanes && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        return std::nullopt;
    };
    std::vector<std::jthread> lanes;
    lanes.reserve(kLanes);
    for (int i = 0; i < kLanes; ++i) {
        lanes.emplace_back([&, path = make("f" + std::to_string(i), "same " + marker())] {
            EXPECT_EQ(examine(path).verdict.kind, VerdictKind::Infected);
        });
    }
    lanes.clear();
    EXPECT_EQ(engine_.calls, 1U);
}

TEST_F(ExaminerTest, WhoWaitedForAVerdictThatFailedScansForHimself) {
    constexpr int kLanes = 3;
    std::atomic<int> at_the_hash = 0;
    std::atomic<bool> failed = false;
    hasher_.after = [&] { ++at_the_hash; };
    engine_.before = [&](const auto&) -> std::optional<Verdict> {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (at_the_hash < kLanes && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        if (!failed.exchange(true)) {
            return Verdict{.kind = VerdictKind::Failed, .reason = "timeout"};
        }
        return std::nullopt;
    };
    std::atomic<int> infected = 0;
    std::atomic<int> without = 0;
    std::vector<std::jthread> lanes;
    lanes.reserve(kLanes);
    for (int i = 0; i < kLanes; ++i) {
        lanes.emplace_back([&, path = make("f" + std::to_string(i), "same " + marker())] {
            const auto kind = examine(path).verdict.kind;
            infected += kind == VerdictKind::Infected ? 1 : 0;
            without += kind == VerdictKind::Failed ? 1 : 0;
        });
    }
    lanes.clear();
    EXPECT_EQ(without, 1);
    EXPECT_EQ(infected, kLanes - 1);
}

TEST_F(ExaminerTest, AVerdictOfOlderDefinitionsIsNotKeptUnderNewOnes) {
    engine_.before = [&](const auto&) -> std::optional<Verdict> {
        cache_->set_generation("g2");  // while the engine of g1 is at work
        return std::nullopt;
    };
    const auto path = make("file", "content");
    EXPECT_EQ(examine(path).verdict.kind, VerdictKind::Clean);
    engine_.before = {};
    EXPECT_EQ(examine(path).verdict.source, VerdictSource::Engine);
    EXPECT_EQ(examine(path).verdict.source, VerdictSource::ContentCache);
}

TEST_F(ExaminerTest, TheRequestSaysWhatThePolicyAndTheSubjectSay) {
    policy_.scan.file_timeout = 7s;
    policy_.files.archives = false;
    ScanService::Request seen;
    engine_.before = [&](const ScanService::Request& request) -> std::optional<Verdict> {
        seen = request;
        return std::nullopt;
    };
    auto one = subject(make("file", "content"));
    one.urgent = true;
    const auto examined = examiner_.examine(one, policy_);
    EXPECT_EQ(seen.timeout, 7s);
    EXPECT_TRUE(seen.urgent);
    EXPECT_FALSE(seen.archives);
    EXPECT_EQ(seen.size, 7U);
    EXPECT_EQ(seen.content, examined.verdict.sha256);
    EXPECT_EQ(seen.path_hint, one.path_hint);
}

}  // namespace
}  // namespace vigia::scan
