// SPDX-License-Identifier: GPL-2.0-or-later
// ScanService with the real vigia-scand: one set of definitions after another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "support/scan_service_fixture.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using ScanReload = test::ScanServiceSystem;

TEST_F(ScanReload, OtherDefinitionsChangeVerdictsWithoutAGap) {
    start_ready(2);
    std::atomic<bool> stop = false;
    std::atomic<int> not_clean = 0;
    auto others = std::async(std::launch::async, [&] {
        while (!stop) {
            not_clean += scan("harmless").kind == VerdictKind::Clean ? 0 : 1;
        }
    });
    EXPECT_EQ(scan("second-bad-text").kind, VerdictKind::Clean);
    service_->load(detects("two", "Test.Two", "second-bad-text"));
    ASSERT_TRUE(recorder_.wait_ready(2));
    EXPECT_EQ(service_->state().engine->generation, "two");
    EXPECT_EQ(scan("second-bad-text").kind, VerdictKind::Infected);
    EXPECT_EQ(scan("first-bad-text").kind, VerdictKind::Clean);
    stop = true;
    others.get();
    EXPECT_EQ(not_clean, 0);
    EXPECT_TRUE(recorder_.told().losses.empty());
    // No detection counts as a loss, nor does the end of the old engine.
    EXPECT_EQ(service_->state().workers_lost, 0U);
}

TEST_F(ScanReload, BrokenDefinitionsAreNamedAndLeaveTheOldInUse) {
    start_ready(2);
    service_->load(set_of("broken", "broken.ndb", "this is:not a:signature\n"));
    ASSERT_TRUE(recorder_.wait_failed());
    const auto failure = recorder_.told().failures.front();
    EXPECT_EQ(failure.cause, "definitions-rejected");
    EXPECT_EQ(failure.file, "broken.ndb") << failure.message;
    EXPECT_EQ(service_->state().state, "ready");
    EXPECT_EQ(service_->state().engine->generation, "one");
    EXPECT_EQ(scan("first-bad-text").kind, VerdictKind::Infected);
}

TEST_F(ScanReload, DefinitionsThatDetectAHarmlessFileAreNotPutToUse) {
    start_ready(1);
    service_->load(detects("greedy", "Test.Greedy", "harmless"));
    ASSERT_TRUE(recorder_.wait_failed());
    EXPECT_EQ(recorder_.told().failures.front().cause, "definitions-rejected");
    EXPECT_THAT(recorder_.told().failures.front().message, HasSubstr("harmless file"));
    EXPECT_EQ(scan("harmless").kind, VerdictKind::Clean);
}

TEST_F(ScanReload, AnEmptyFolderIsNoDefinitionsAndComesToLifeWhenGivenSome) {
    start(1, set_of("empty", "", ""));
    ASSERT_TRUE(recorder_.wait_failed());
    EXPECT_EQ(recorder_.told().failures.front().cause, "no-definitions");
    EXPECT_EQ(service_->state().state, "failed");
    service_->load(detects("one", "Test.One", "first-bad-text"));
    ASSERT_TRUE(recorder_.wait_ready());
    EXPECT_EQ(scan("first-bad-text").kind, VerdictKind::Infected);
}

}  // namespace
}  // namespace vigia
