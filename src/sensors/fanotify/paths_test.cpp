// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/paths.h"

#include <gtest/gtest.h>

namespace vigia::sensors {
namespace {

TEST(Paths, AreComparedByWholeComponents) {
    EXPECT_TRUE(is_below("/a/b", "/a"));
    EXPECT_TRUE(is_below("/a", "/a"));
    EXPECT_FALSE(is_below("/ab", "/a"));
    EXPECT_FALSE(is_below("/a", "/a/b"));
    EXPECT_TRUE(is_below("/anything", "/"));
    EXPECT_TRUE(is_below("/", "/"));
    EXPECT_FALSE(is_below("relative", "/"));
}

TEST(Paths, MoveFromOneFolderToAnother) {
    EXPECT_EQ(rebase("/a/b/c", "/a", "/x"), "/x/b/c");
    EXPECT_EQ(rebase("/a/b", "/a/b", "/x"), "/x");
    EXPECT_EQ(rebase("/a/b", "/", "/x"), "/x/a/b");
    EXPECT_EQ(rebase("/a/b", "/a", "/"), "/b");
    EXPECT_EQ(rebase("/", "/", "/x"), "/x");
    EXPECT_EQ(rebase("/ab", "/a", "/x"), std::nullopt);
}

TEST(Paths, JoinWithOneSlash) {
    EXPECT_EQ(join("/", "a"), "/a");
    EXPECT_EQ(join("/a", "b\nc"), "/a/b\nc");
}

TEST(FolderSet, NormalisesWhatPeopleWrite) {
    const FolderSet set({"/a//b/", "/c/./d", "/a/b"});
    EXPECT_EQ(set.all(), (std::vector<std::string>{"/a/b", "/c/d"}));
    EXPECT_TRUE(set.contains("/a/b/c"));
    EXPECT_FALSE(set.contains("/a/bc"));
    EXPECT_FALSE(FolderSet().contains("/"));
}

TEST(FolderSet, FindsItsFoldersBelowAnother) {
    const FolderSet set({"/a/b", "/a", "/x"});
    EXPECT_EQ(set.below("/a"), (std::vector<std::string>{"/a/b"}));
    EXPECT_EQ(set.below("/"), (std::vector<std::string>{"/a", "/a/b", "/x"}));
    EXPECT_TRUE(set.below("/x").empty());
}

}  // namespace
}  // namespace vigia::sensors
