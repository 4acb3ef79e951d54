// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

namespace vigia::host {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Mountinfo, ReadsEveryFieldOfALine) {
    std::vector<std::string> problems;
    const auto mounts = parse_mountinfo(
        "36 35 98:3 /sub /mnt1 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue\n",
        problems);
    ASSERT_THAT(mounts, SizeIs(1));
    EXPECT_THAT(problems, IsEmpty());
    const Mount expected{.id = 36,
                         .parent = 35,
                         .device = makedev(98, 3),
                         .root = "/sub",
                         .point = "/mnt1",
                         .type = "ext3",
                         .source = "/dev/root",
                         .options = "rw,noatime,rw,errors=continue",
                         .read_only = false,
                         .reach = "/mnt1",
                         .other_namespace = false};
    EXPECT_EQ(mounts.front(), expected);
}

TEST(Mountinfo, TakesAnyNumberOfOptionalFields) {
    std::vector<std::string> problems;
    const auto mounts = parse_mountinfo(
        "1 0 0:1 / / rw - tmpfs none rw\n"
        "2 1 0:2 / /a rw a:1 b:2 c:3 unbindable - tmpfs none rw",
        problems);
    ASSERT_THAT(mounts, SizeIs(2));
    EXPECT_EQ(mounts[0].type, "tmpfs");
    EXPECT_EQ(mounts[1].type, "tmpfs");
    EXPECT_THAT(problems, IsEmpty());
}

TEST(Mountinfo, UnescapesSpacesLineEndsAndBackslashesInNames) {
    std::vector<std::string> problems;
    const auto mounts = parse_mountinfo(
        "1 0 0:1 /r\\040t /a\\012b\\134c\\011\\377 rw - tmpfs s\\040s rw", problems);
    ASSERT_THAT(mounts, SizeIs(1));
    EXPECT_EQ(mounts[0].root, "/r t");
    EXPECT_EQ(mounts[0].point, "/a\nb\\c\t\xff");
    EXPECT_EQ(mounts[0].source, "s s");
}

TEST(Mountinfo, IsReadOnlyByTheMountOrByTheFileSystemButNotByAWordThatContainsRo) {
    std::vector<std::string> problems;
    const auto mounts = parse_mountinfo(
        "1 0 0:1 / /a ro,relatime - ext4 x rw\n"
        "2 0 0:1 / /b rw,relatime - ext4 x ro\n"
        "3 0 0:1 / /c rw,relatime - ext4 x rw,errors=remount-ro\n",
        problems);
    ASSERT_THAT(mounts, SizeIs(3));
    EXPECT_TRUE(mounts[0].read_only);
    EXPECT_TRUE(mounts[1].read_only);
    EXPECT_FALSE(mounts[2].read_only);
}

TEST(Mountinfo, NamesTheLinesItDoesNotUnderstandAndKeepsTheOthers) {
    std::vector<std::string> problems;
    const auto mounts = parse_mountinfo(
        "x 0 0:1 / /a rw - ext4 x rw\n"
        "1 0 01 / /a rw - ext4 x rw\n"
        "1 0 0:1 / a rw - ext4 x rw\n"
        "1 0 0:1 / /a rw\n"
        "99999999999999999999 0 0:1 / /a rw - ext4 x rw\n"
        "7 0 0:1 / /good rw - ext4 x rw\n",
        problems);
    ASSERT_THAT(mounts, SizeIs(1));
    EXPECT_EQ(mounts[0].point, "/good");
    EXPECT_THAT(problems, SizeIs(5));
    EXPECT_THAT(problems[0], HasSubstr("x 0 0:1"));
}

TEST(ListMounts, FindsTheMountOfProcInOurOwnNamespace) {
    const auto mounts = list_mounts();
    ASSERT_TRUE(mounts) << mounts.error().message();
    const auto proc = std::ranges::find(*mounts, "/proc", &Mount::point);
    ASSERT_NE(proc, mounts->end());
    EXPECT_EQ(proc->type, "proc");
    EXPECT_EQ(proc->reach, "/proc");
    EXPECT_FALSE(proc->other_namespace);
}

TEST(ListMounts, GivesADigestOfTheNamespacesThatDoesNotChangeByItself) {
    EXPECT_THAT(namespaces_digest(), testing::MatchesRegex("[0-9]+-[0-9a-f]{16}"));
}

TEST(ListMounts, OpensAWatchThatIsQuietWhileNothingIsMounted) {
    const auto watch = open_mount_watch();
    ASSERT_TRUE(watch) << watch.error().message();
    pollfd waiting{.fd = watch->get(), .events = POLLPRI, .revents = 0};
    EXPECT_EQ(::poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLPRI) != 0, false);
}

}  // namespace
}  // namespace vigia::host
