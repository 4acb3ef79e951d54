// SPDX-License-Identifier: GPL-2.0-or-later
#include "overload/deferred_set.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace vigia::overload {
namespace {

using namespace std::chrono_literals;

constexpr FileSystemId kDisk{.word0 = 1};
constexpr FileSystemId kOther{.word0 = 2};
constexpr WallTime kThen = WallTime{} + 100h;

FileActivity change(FileSystemId fs, int number, FileChange how = FileChange::ClosedAfterWrite) {
    return {.object = {.fs = fs, .handle = {.type = 1, .bytes = std::to_string(number)}},
            .changes = static_cast<FileChanges>(how),
            .path_hint = "/srv/" + std::to_string(number)};
}

TEST(DeferredSet, IsEmptyUntilSomethingIsPutOff) {
    DeferredSet set;
    EXPECT_TRUE(set.state().empty());
    EXPECT_TRUE(set.take().empty());
}

TEST(DeferredSet, KeepsEachFileOnceWithAllThatHappenedToIt) {
    DeferredSet set;
    set.defer(change(kDisk, 1, FileChange::Created), kThen + 1s);
    set.defer(change(kDisk, 1, FileChange::ClosedAfterWrite), kThen);
    set.defer(change(kDisk, 2), kThen + 2s);
    const auto state = set.state();
    EXPECT_EQ(state.files, 2U);
    EXPECT_EQ(state.since, kThen);
    ASSERT_EQ(state.file_systems.size(), 1U);
    EXPECT_TRUE(state.file_systems.front().known);
    const auto work = set.take();
    ASSERT_EQ(work.files.size(), 2U);
    EXPECT_TRUE(work.walk.empty());
    EXPECT_FALSE(work.walk_all);
    const auto& first = work.files[work.files[0].object.handle.bytes == "1" ? 0 : 1];
    EXPECT_TRUE(has(first.changes, FileChange::Created));
    EXPECT_TRUE(has(first.changes, FileChange::ClosedAfterWrite));
    EXPECT_TRUE(set.state().empty());
}

TEST(DeferredSet, WhatIsTooManyIsRememberedByFileSystemAndTime) {
    DeferredSet set({.most_files = 10});
    set.defer(change(kOther, 0), kThen);
    for (int i = 0; i < 1000; ++i) {
        set.defer(change(kDisk, i), kThen + 1s);
    }
    const auto state = set.state();
    EXPECT_EQ(state.files, 1001U);
    const auto work = set.take();
    EXPECT_EQ(work.deferred, 1001U);
    ASSERT_EQ(work.files.size(), 1U);  // the quiet file system is not walked for the loud one
    EXPECT_EQ(work.files.front().object.fs, kOther);
    ASSERT_EQ(work.walk.size(), 1U);
    EXPECT_EQ(work.walk.at(kDisk), kThen + 1s);
    EXPECT_FALSE(work.walk_all);
}

TEST(DeferredSet, AFileWithoutANameMakesItsFileSystemOneToWalk) {
    DeferredSet set;
    set.defer(change(kDisk, 1), kThen + 1s);
    set.defer(change(kOther, 2), kThen + 1s);
    set.defer_unnamed(kDisk, kThen);
    EXPECT_EQ(set.state().files, 3U);
    const auto work = set.take();
    ASSERT_EQ(work.files.size(), 1U);
    EXPECT_EQ(work.files.front().object.fs, kOther);
    EXPECT_EQ(work.walk.at(kDisk), kThen);
}

TEST(DeferredSet, ALossIsALossOnEveryFileSystem) {
    DeferredSet set;
    set.taint(kThen);
    set.taint(kThen - 1s);
    set.taint(kThen + 1s);
    EXPECT_EQ(set.state().tainted_since, kThen - 1s);
    EXPECT_EQ(set.take().walk_all, kThen - 1s);
    EXPECT_TRUE(set.state().empty());
}

TEST(DeferredSet, WithoutAHandleEverythingIsWalked) {
    DeferredSet set;
    auto activity = change(kDisk, 1);
    activity.object.handle = {};
    set.defer(std::move(activity), kThen);
    EXPECT_EQ(set.state().files, 1U);
    EXPECT_EQ(set.take().walk_all, kThen);
}

}  // namespace
}  // namespace vigia::overload
