// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/cgroup_root.h"

#include <gtest/gtest.h>

namespace vigia::sensors {
namespace {

TEST(CgroupRoot, IsFoundWhereverItIsMounted) {
    EXPECT_EQ(find_cgroup_root("24 1 0:22 / /proc rw - proc proc rw\n"
                               "30 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                               "31 24 0:28 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 none rw\n"),
              "/sys/fs/cgroup/uni fied");
}

TEST(CgroupRoot, APieceOfTheHierarchyIsNotTheRoot) {
    EXPECT_EQ(find_cgroup_root("31 24 0:28 /a /mnt rw - cgroup2 none rw\n"
                               "32 24 0:28 /../.. /up rw - cgroup2 none rw"),
              std::nullopt);
    EXPECT_EQ(find_cgroup_root(""), std::nullopt);
    EXPECT_EQ(find_cgroup_root("\n\n - cgroup2 \n"), std::nullopt);
}

}  // namespace
}  // namespace vigia::sensors
