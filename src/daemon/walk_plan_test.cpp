// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/walk_plan.h"

#include <gtest/gtest.h>

namespace vigia::daemon {
namespace {

Mount mount(const std::string& point, const std::string& type) {
    return {.point = point, .type = type};
}

std::string paths(const std::vector<WalkRoot>& plan) {
    std::string all;
    for (const auto& root : plan) {
        all += (all.empty() ? "" : " ") + root.path + ":" + root.type;
    }
    return all;
}

TEST(WalkPlan, HasTheFoldersAndWhatIsMountedBelowThem) {
    const std::vector mounts{mount("/", "ext4"),
                             mount("/proc", "proc"),
                             mount("/srv/disk", "xfs"),
                             mount("/srv/disk/usb", "vfat"),
                             mount("/srvother", "ext4"),
                             mount("/home", "btrfs")};
    EXPECT_EQ(paths(plan_walk({"/"}, mounts)),
              "/:ext4 /home:btrfs /srv/disk:xfs /srv/disk/usb:vfat /srvother:ext4");
    EXPECT_EQ(paths(plan_walk({"/srv", "/home/ana"}, mounts)),
              "/home/ana:btrfs /srv:ext4 /srv/disk:xfs /srv/disk/usb:vfat");
}

TEST(WalkPlan, WalksNothingTwice) {
    const std::vector mounts{mount("/", "ext4"), mount("/srv/disk", "xfs")};
    EXPECT_EQ(paths(plan_walk({"/srv", "/srv/a", "/srv/disk"}, mounts)), "/srv:ext4 /srv/disk:xfs");
}

TEST(WalkPlan, TakesTheMountThatIsSeen) {
    const std::vector mounts{mount("/", "ext4"), mount("/srv", "xfs"), mount("/srv", "tmpfs")};
    EXPECT_EQ(paths(plan_walk({"/srv"}, mounts)), "/srv:tmpfs");
}

TEST(WalkPlan, WithoutMountsHasTheFoldersAlone) {
    EXPECT_EQ(paths(plan_walk({"/srv", "/home"}, {})), "/home: /srv:");
}

TEST(WalkPlan, KnowsWhereCtimeSaysNothing) {
    for (const auto* type : {"ext4", "xfs", "btrfs", "tmpfs", "overlay"}) {
        EXPECT_TRUE(has_usable_ctime(type)) << type;
    }
    for (const auto* type : {"vfat", "exfat", "nfs4", "cifs", "fuse.sshfs"}) {
        EXPECT_FALSE(has_usable_ctime(type)) << type;
    }
}

}  // namespace
}  // namespace vigia::daemon
