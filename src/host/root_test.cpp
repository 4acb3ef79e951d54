// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/root_fixture.h"

namespace vigia::host {
namespace {

using test::RootFixture;
using testing::ElementsAre;
using testing::HasSubstr;

Root open_root(const RootFixture& fixture) {
    auto root = Root::open(fixture.path());
    if (!root) {
        throw std::runtime_error(root.error().message());
    }
    return *std::move(root);
}

TEST(Root, ResolvesAbsoluteLinksInsideItself) {
    RootFixture fixture;
    fixture.file("etc/real", "inside")
        .link("etc/name", "/etc/real")
        .link("up", "../../../etc/real");
    const auto root = open_root(fixture);
    EXPECT_EQ(root.read("etc/name", 64).value(), "inside");
    EXPECT_EQ(root.read("up", 64).value(), "inside");
    EXPECT_EQ(root.read("../../etc/real", 64).value(), "inside");
}

TEST(Root, DoesNotLeaveByALinkToTheHost) {
    RootFixture fixture;
    fixture.link("out", "/proc/self/status");
    EXPECT_TRUE(is_missing(open_root(fixture).read("out", 64).error()));
}

TEST(Root, RefusesFifosFoldersAndSocketsWithoutOpeningThem) {
    RootFixture fixture;
    fixture.folder("folder");
    ASSERT_EQ(::mkfifo((fixture.path() / "fifo").c_str(), 0644), 0);
    const auto root = open_root(fixture);
    EXPECT_THAT(root.read("fifo", 64).error().message(), HasSubstr("/fifo is not a regular file"));
    EXPECT_THAT(root.read("folder", 64).error().message(), HasSubstr("not a regular file"));
}

TEST(Root, RefusesADeviceEvenThroughALink) {
    const auto live = Root::open("/");
    ASSERT_TRUE(live.has_value());
    EXPECT_THAT(live->read("dev/zero", 64).error().message(), HasSubstr("not a regular file"));
}

TEST(Root, RefusesWhatIsLargerThanTheLimitAndReadsItsStart) {
    RootFixture fixture;
    fixture.file("big", std::string(65, 'x')).file("fits", std::string(64, 'x'));
    const auto root = open_root(fixture);
    EXPECT_EQ(root.read("big", 64).error().code, std::errc::file_too_large);
    EXPECT_EQ(root.read("fits", 64)->size(), 64U);
    EXPECT_EQ(root.read_start("big", 10).value(), std::string(10, 'x'));
}

TEST(Root, SaysThatALoopOfLinksIsOne) {
    RootFixture fixture;
    fixture.link("a", "b").link("b", "a");
    EXPECT_EQ(open_root(fixture).read("a", 64).error().code,
              std::errc::too_many_symbolic_link_levels);
}

TEST(Root, ListsNamesSortedAndBounded) {
    RootFixture fixture;
    fixture.file("d/b", "").file("d/a", "").folder("d/c");
    const auto root = open_root(fixture);
    EXPECT_THAT(root.list("d").value(), ElementsAre("a", "b", "c"));
    EXPECT_EQ(root.list("d", 2).error().code, std::errc::file_too_large);
}

TEST(Root, GivesTheLinksOfAFolderAndWhereTheyPoint) {
    RootFixture fixture;
    fixture.file("d/file", "").link("d/link", "/nowhere");
    EXPECT_THAT(open_root(fixture).links("d", 8).value(),
                ElementsAre(testing::Pair("link", "/nowhere")));
}

TEST(Root, RefusesANameWithANulByte) {
    RootFixture fixture;
    fixture.file("a", "x");
    EXPECT_EQ(open_root(fixture).read(std::string_view("a\0b", 3), 64).error().code,
              std::errc::invalid_argument);
}

TEST(Root, KnowsWhetherItIsTheRunningSystem) {
    const RootFixture fixture;
    EXPECT_TRUE(Root::open("/")->is_live());
    EXPECT_FALSE(open_root(fixture).is_live());
}

TEST(Root, ReadsFilesOfProcWhoseSizeIsZero) {
    const auto root = Root::open("/");
    EXPECT_THAT(root->read("proc/self/status", 65'536).value(), HasSubstr("CapEff:"));
}

TEST(Root, IsAnErrorWhereThereIsNoFolder) {
    RootFixture fixture;
    fixture.file("file", "");
    EXPECT_FALSE(Root::open(fixture.path() / "missing").has_value());
    EXPECT_FALSE(Root::open(fixture.path() / "file").has_value());
}

}  // namespace
}  // namespace vigia::host
