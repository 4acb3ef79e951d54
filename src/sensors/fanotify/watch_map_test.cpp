// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/watch_map.h"

#include <gtest/gtest.h>

namespace vigia::sensors {
namespace {

constexpr FileSystemId kId{.word0 = 1, .word1 = 2};

WatchMap map_with(const std::vector<View>& views,
                  const std::vector<Mount>& descriptor_mounts = {}) {
    return {{.watched = FolderSet({"/w"}),
             .own = FolderSet({"/w/own", "/var/own"}),
             .excluded = FolderSet({"/w/excluded"})},
            {FileSystem{.ids = {kId}, .views = views}},
            descriptor_mounts};
}

Placement place(const std::vector<View>& views, std::string_view path) {
    const auto map = map_with(views);
    return map.place(*map.find(kId), path);
}

TEST(WatchMap, KnowsItsFileSystemsByTheirIdentifiers) {
    const auto map = map_with({});
    EXPECT_NE(map.find(kId), nullptr);
    EXPECT_EQ(map.find({.word0 = 9, .word1 = 9}), nullptr);
}

TEST(WatchMap, PlacesAFolderByTheMountThatShowsIt) {
    const std::vector<View> views{{.root = "/", .point = "/w/disk"}};
    EXPECT_EQ(place(views, "/a").where, Where::Watched);
    EXPECT_EQ(place(views, "/a").path, "/w/disk/a");
    EXPECT_EQ(place({{.root = "/", .point = "/elsewhere"}}, "/a").where, Where::Outside);
}

TEST(WatchMap, IsInsideIfAnyOfItsPlacesIs) {
    const std::vector<View> views{{.root = "/", .point = "/elsewhere"},
                                  {.root = "/part", .point = "/w/part"}};
    EXPECT_EQ(place(views, "/part/a").path, "/w/part/a");
    EXPECT_EQ(place(views, "/partial/a").where, Where::Outside);
}

TEST(WatchMap, IsOursIfAnyPlaceOfOurNamespaceIs) {
    const std::vector<View> views{{.root = "/", .point = "/w/all"},
                                  {.root = "/state", .point = "/var/own"}};
    EXPECT_EQ(place(views, "/state/a").where, Where::Own);
    EXPECT_EQ(place(views, "/other").where, Where::Watched);
}

TEST(WatchMap, IsNotOursByTheNameItHasInAnotherNamespace) {
    const std::vector<View> views{{.root = "/", .point = "/w/own", .other_namespace = true}};
    EXPECT_EQ(place(views, "/a").where, Where::Watched);
}

TEST(WatchMap, TellsThatAPlaceIsExcludedIfAnyIs) {
    const std::vector<View> views{{.root = "/", .point = "/w/plain"},
                                  {.root = "/", .point = "/w/excluded/too"}};
    EXPECT_EQ(place(views, "/a").where, Where::Excluded);
}

TEST(WatchMap, PrefersTheNameThroughTheOverlayThenOurOwnNamespace) {
    const std::vector<View> views{
        {.root = "/", .point = "/w/container", .other_namespace = true},
        {.root = "/", .point = "/w/disk"},
        {.root = "/upper", .point = "/w/overlay", .through_overlay = true}};
    EXPECT_EQ(place(views, "/upper/a").path, "/w/overlay/a");
    EXPECT_EQ(place(views, "/a").path, "/w/disk/a");
}

TEST(WatchMap, FindsTheWatchedFoldersThatComeWithAFolder) {
    const auto map = map_with({{.root = "/", .point = "/"}});
    EXPECT_EQ(map.watched_below(*map.find(kId), "/"), std::vector<std::string>{"/w"});
    EXPECT_TRUE(map.watched_below(*map.find(kId), "/w").empty());
}

TEST(WatchMap, PlacesADescriptorByTheMountItCameThrough) {
    const auto map = map_with({}, {Mount{.id = 7, .root = "/", .point = "/w/overlay"}});
    EXPECT_EQ(map.place_descriptor(7, "/w/overlay/a").path, "/w/overlay/a");
    EXPECT_EQ(map.place_descriptor(7, "/elsewhere/a").where, Where::Outside);
    EXPECT_EQ(map.place_descriptor(7, "/w/own/a").where, Where::Own);
}

TEST(WatchMap, PlacesADescriptorOfAnUnknownMountBelowTheMountItCopies) {
    const auto map = map_with({}, {Mount{.id = 7, .root = "/", .point = "/w/overlay"}});
    EXPECT_EQ(map.place_descriptor(8, "/etc/a").path, "/w/overlay/etc/a");
}

TEST(WatchMap, NeverTakesAFileOfAnUnknownMountForOurs) {
    const auto map = map_with({}, {Mount{.id = 7, .root = "/", .point = "/"}});
    EXPECT_EQ(map.place_descriptor(8, "/w/own/a").where, Where::Watched);
}

TEST(WatchMap, AnswersForPlainPaths) {
    const auto map = map_with({});
    EXPECT_TRUE(map.is_watched("/w/a"));
    EXPECT_TRUE(map.is_watched("/w/excluded/a"));
    EXPECT_FALSE(map.is_watched("/w/own/a"));
    EXPECT_FALSE(map.is_watched("/wa"));
}

}  // namespace
}  // namespace vigia::sensors
