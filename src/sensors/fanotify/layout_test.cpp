// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/layout.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vigia::sensors {
namespace {

Mount mount_at(int id, dev_t device, const std::string& point, const std::string& type = "ext4") {
    return {.id = id, .device = device, .root = "/", .point = point, .type = type};
}

std::vector<int> wanted(const Devices& devices) {
    std::vector<int> ids;
    for (const auto& [number, device] : devices) {
        for (const auto& mount : device.wanted) {
            ids.push_back(mount.id);
        }
    }
    std::ranges::sort(ids);
    return ids;
}

TEST(Layout, WantsTheMountAWatchedFolderLiesOnAndThoseBelowIt) {
    const std::vector mounts{mount_at(1, 1, "/"),
                             mount_at(2, 2, "/srv"),
                             mount_at(3, 3, "/srv/data/disk"),
                             mount_at(4, 4, "/srv/database"),
                             mount_at(5, 5, "/home")};
    EXPECT_EQ(wanted(devices_of(mounts, FolderSet({"/srv/data"}))), (std::vector{2, 3}));
}

TEST(Layout, WantsAllOfThemWhenTheRootIsWatched) {
    const std::vector mounts{mount_at(1, 1, "/"), mount_at(2, 2, "/srv")};
    EXPECT_EQ(wanted(devices_of(mounts, FolderSet({"/"}))), (std::vector{1, 2}));
}

TEST(Layout, TakesTheLastOfSeveralMountsAtOnePoint) {
    const std::vector mounts{mount_at(1, 1, "/"), mount_at(2, 2, "/a"), mount_at(3, 3, "/a")};
    EXPECT_EQ(wanted(devices_of(mounts, FolderSet({"/a/b"}))), (std::vector{3}));
}

TEST(Layout, WantsAMountOfAnotherNamespaceOnlyIfItsOwnPathIsWatched) {
    auto root = mount_at(8, 8, "/");
    auto home = mount_at(9, 9, "/home");
    root.other_namespace = home.other_namespace = true;
    EXPECT_EQ(wanted(devices_of({mount_at(1, 1, "/"), root, home}, FolderSet({"/home"}))),
              (std::vector{1, 9}));
}

TEST(Layout, ReachesAFileSystemFirstByAMountThatShowsItsRoot) {
    auto part = mount_at(1, 1, "/part");
    part.root = "/sub";
    auto foreign = mount_at(2, 1, "/foreign");
    foreign.other_namespace = true;
    const auto devices =
        devices_of({part, foreign, mount_at(3, 1, "/whole")}, FolderSet({"/part"}));
    const auto& reached = devices.at(1).mounts;
    ASSERT_EQ(reached.size(), 3U);
    EXPECT_EQ(reached[0].id, 3);
    EXPECT_EQ(reached[1].id, 2);
    EXPECT_EQ(reached[2].id, 1);
}

TEST(FileSystemKind, TellsPseudoNetworkAndOverlayFileSystemsApart) {
    for (const auto* type : {"proc", "sysfs", "cgroup2", "devtmpfs", "autofs", "nsfs", "bpf"}) {
        EXPECT_EQ(kind_of(type), Kind::NotApplicable) << type;
    }
    for (const auto* type : {"nfs4", "cifs", "fuse", "fuse.sshfs", "fuseblk", "9p", "virtiofs"}) {
        EXPECT_EQ(kind_of(type), Kind::Remote) << type;
    }
    for (const auto* type : {"ext4", "xfs", "tmpfs", "btrfs", "vfat", "ramfs", "of-tomorrow"}) {
        EXPECT_EQ(kind_of(type), Kind::Local) << type;
    }
    EXPECT_EQ(kind_of("overlay"), Kind::Overlay);
}

TEST(FileSystemKind, TrustsNeitherOverlaysNorFatWithAnIdentity) {
    for (const auto* type : {"overlay", "vfat", "exfat", "fuse", "nfs4", "ntfs3"}) {
        EXPECT_FALSE(traits_of(mount_at(1, 0, "/a", type)).truthful_identity) << type;
    }
    const auto memory = traits_of(mount_at(1, 0, "/a", "tmpfs"));
    EXPECT_TRUE(memory.truthful_identity);
    EXPECT_FALSE(memory.persistent_identity);
}

}  // namespace
}  // namespace vigia::sensors
