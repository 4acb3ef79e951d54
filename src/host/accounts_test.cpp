// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/root_fixture.h"

namespace vigia::host {
namespace {

using test::RootFixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using What = PathDeviation::What;

constexpr auto kRoot = "root:x:0:0:root:/root:/bin/bash\n";
constexpr auto kGood = "vigia-scan:x:998:997::/nonexistent:/usr/sbin/nologin\n";

struct Files {
    std::string passwd = kGood;
    std::string group = "vigia-scan:x:997:\n";
    std::string shadow = "vigia-scan:!*:19000::::::\n";
};

ScanUserFacts facts_of(const Files& files) {
    RootFixture fixture;
    fixture.file("etc/passwd", kRoot + files.passwd)
        .file("etc/group", "root:x:0:\n" + files.group)
        .file("etc/shadow", files.shadow);
    return scan_user(*Root::open(fixture.path()), "vigia-scan");
}

TEST(ScanUser, AsInstalledHasNothingWrong) {
    const auto facts = facts_of({});
    ASSERT_EQ(facts.users->size(), 1U);
    EXPECT_EQ(facts.users->front().uid, 998U);
    EXPECT_EQ(*facts.password, PasswordState::Locked);
    EXPECT_THAT(misconfigurations(facts), IsEmpty());
}

TEST(ScanUser, ThatIsMissingIsKnownToBe) {
    const auto facts = facts_of({.passwd = "", .group = "", .shadow = "root:!:1\n"});
    EXPECT_THAT(*facts.users, IsEmpty());
    EXPECT_THAT(*facts.groups, IsEmpty());
    EXPECT_FALSE(facts.password.is_known());
    EXPECT_THAT(misconfigurations(facts), IsEmpty());
}

TEST(ScanUser, NamesEverythingThatIsWrongWithIt) {
    EXPECT_THAT(misconfigurations(facts_of({.passwd = "vigia-scan:x:0:997::/:/sbin/nologin\n"})),
                ElementsAre("uid-0", "uid-shared"));
    EXPECT_THAT(misconfigurations(facts_of({.passwd = "vigia-scan:x:998:997::/:/bin/sh\n"})),
                ElementsAre("login-shell"));
    EXPECT_THAT(misconfigurations(facts_of({.passwd = "vigia-scan:x:998:997::/:\n"})),
                ElementsAre("login-shell"));
    EXPECT_THAT(misconfigurations(facts_of({.passwd = std::string(kGood) + kGood})),
                ElementsAre("duplicate-user"));
    EXPECT_THAT(misconfigurations(
                    facts_of({.passwd = std::string(kGood) + "other:x:998:1::/:/bin/false\n"})),
                ElementsAre("uid-shared"));
    EXPECT_THAT(misconfigurations(facts_of({.group = "vigia-scan:x:996:\n"})),
                ElementsAre("other-primary-group"));
    EXPECT_THAT(misconfigurations(facts_of({.group = "vigia-scan:x:997:\nadm:x:4:vigia-scan\n"})),
                ElementsAre("supplementary-groups"));
    EXPECT_THAT(misconfigurations(facts_of({.shadow = "vigia-scan:$6$a$b:1\n"})),
                ElementsAre("password"));
    EXPECT_THAT(misconfigurations(facts_of({.shadow = "vigia-scan::1\n"})),
                ElementsAre("password"));
}

TEST(ScanUser, IsUnknownWhereTheFilesAreMissingOrDamaged) {
    RootFixture fixture;
    auto facts = scan_user(*Root::open(fixture.path()), "vigia-scan");
    EXPECT_FALSE(facts.users.is_known());
    EXPECT_FALSE(facts.groups.is_known());
    EXPECT_FALSE(facts.password.is_known());
    fixture.file("etc/passwd", "\xff\xff\xff").file("etc/group", "");
    facts = scan_user(*Root::open(fixture.path()), "vigia-scan");
    EXPECT_FALSE(facts.users.is_known());
    EXPECT_FALSE(facts.groups.is_known());
}

TEST(LoginDefsFile, SaysWhenGroupsAreNotMadeWithUsers) {
    RootFixture fixture;
    const auto root = *Root::open(fixture.path());
    EXPECT_FALSE(login_defs(root).is_known());
    fixture.file("etc/login.defs", "USERGROUPS_ENAB no\n");
    EXPECT_EQ(login_defs(root)->usergroups_enab, false);
}

// Files of a test belong to whoever runs it.
ExpectedPath own(ExpectedPath row) {
    row.uid = ::getuid();
    return row;
}

class OwnPathsTest : public testing::Test {
protected:
    OwnPathsTest() { fixture_.file("etc/group", "mine:x:" + std::to_string(::getgid()) + ":\n"); }

    OwnPaths check(ExpectedPath row) {
        row.group = "mine";
        return own_paths(*Root::open(fixture_.path()), {own(std::move(row))});
    }

    RootFixture fixture_;
};

TEST_F(OwnPathsTest, FindsNothingWhereAllIsAsInstalled) {
    fixture_.folder("var/lib/vigia", 0755);
    const auto found = check({.path = "var/lib/vigia"});
    EXPECT_THAT(found.wrong, IsEmpty());
    EXPECT_THAT(found.unknown, IsEmpty());
    EXPECT_EQ(found.checked, 1U);
}

TEST_F(OwnPathsTest, TellsAModeWithWhatWasFoundAndExpected) {
    fixture_.folder("var/lib/vigia", 01777);
    const auto found = check({.path = "var/lib/vigia"});
    ASSERT_EQ(found.wrong.size(), 1U);
    EXPECT_EQ(found.wrong[0].path, "/var/lib/vigia");
    EXPECT_EQ(found.wrong[0].what, What::WrongModeOrOwner);
    EXPECT_EQ(found.wrong[0].found->mode, 01777U);
    EXPECT_EQ(found.wrong[0].expected.mode, 0755U);
}

TEST_F(OwnPathsTest, TellsAnOwner) {
    fixture_.folder("var/lib/vigia");
    const auto found =
        own_paths(*Root::open(fixture_.path()),
                  {{.path = "var/lib/vigia", .uid = ::getuid() + 1, .group = "mine"}});
    ASSERT_EQ(found.wrong.size(), 1U);
    EXPECT_EQ(found.wrong[0].found->uid, ::getuid());
    EXPECT_EQ(found.wrong[0].expected.uid, ::getuid() + 1);
}

TEST_F(OwnPathsTest, TellsALinkInThePlaceOfAFolder) {
    fixture_.folder("elsewhere").link("var/lib/vigia", "/elsewhere");
    const auto found = check({.path = "var/lib/vigia"});
    ASSERT_EQ(found.wrong.size(), 1U);
    EXPECT_EQ(found.wrong[0].what, What::WrongKind);
    EXPECT_EQ(found.wrong[0].found_kind, "symbolic link");
}

TEST_F(OwnPathsTest, TellsWhatIsMissingUnlessItMayBe) {
    EXPECT_EQ(check({.path = "var/lib/vigia"}).wrong.at(0).what, What::Missing);
    EXPECT_THAT(check({.path = "run/vigia", .required = false}).wrong, IsEmpty());
}

TEST_F(OwnPathsTest, IsUnknownWhereNobodyCanTell) {
    fixture_.link("loop", "loop");
    const auto found = check({.path = "loop/vigia"});
    EXPECT_THAT(found.wrong, IsEmpty());
    EXPECT_THAT(found.unknown, ElementsAre(HasSubstr("/loop/vigia: ")));
}

}  // namespace
}  // namespace vigia::host
