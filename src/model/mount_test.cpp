// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/mount.h"

#include <gtest/gtest.h>

namespace vigia {
namespace {

TEST(Mount, UndoesTheKernelsOctalEscapes) {
    EXPECT_EQ(unescape_mount_field("/a\\040b\\011c\\012d\\134e\\043f"), "/a b\tc\nd\\e#f");
}

TEST(Mount, LeavesAloneWhatIsNoEscape) {
    EXPECT_EQ(unescape_mount_field("/a\\04"), "/a\\04");
    EXPECT_EQ(unescape_mount_field("/a\\089"), "/a\\089");
    EXPECT_EQ(unescape_mount_field("\\777"), "\\777");
    EXPECT_EQ(unescape_mount_field("\\"), "\\");
}

TEST(Mount, FindsAnOptionByItsWholeNameAndUnescapesItsValue) {
    const Mount mount{.options = "rw,relatime,lowerdir=/l,upperdir=/u\\054p\\040x,workdir=/w"};
    EXPECT_EQ(mount_option(mount, "upperdir"), "/u,p x");
    EXPECT_EQ(mount_option(mount, "upper"), std::nullopt);
    EXPECT_EQ(mount_option(mount, "rw"), std::nullopt);
}

}  // namespace
}  // namespace vigia
