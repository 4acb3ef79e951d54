// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/decide.h"
#include "policy/wildcard.h"

namespace vigia::policy {

std::size_t allocation_count();  // allocation_count_test.cpp

namespace {

using namespace std::chrono;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr WallTime kNow{sys_days{year{2026} / November / 22} + hours{19}};

Exclusions exclusions(std::vector<ExclusionSet> sets) {
    auto policy = std::make_shared<Policy>();
    policy->exclusions = std::move(sets);
    return Exclusions(std::move(policy));
}

bool matches(std::string_view pattern, std::string_view path) {
    const auto wildcard = Wildcard::compile(pattern);
    EXPECT_TRUE(wildcard) << pattern;
    return wildcard && wildcard->matches(path);
}

TEST(Exclusions, AFolderTakesEverythingBelowItAndNothingBesideIt) {
    const auto rules = exclusions({{.name = "ci", .reason = "farm", .paths = {"/srv/ci"}}});
    for (const std::string_view path : {"/srv/ci", "/srv/ci/a", "/srv/ci/a/b.c", "/srv/ci/\xff"}) {
        const auto match = rules.match_path(path, kNow);
        EXPECT_TRUE(match.excluded) << path;
        EXPECT_EQ(match.set, "ci");
        EXPECT_EQ(match.rule, "path /srv/ci");
        EXPECT_EQ(match.why, "farm");
    }
    for (const std::string_view path : {"/srv/cinema", "/srv", "/", "", "/srv/c", "/x/srv/ci"}) {
        EXPECT_FALSE(rules.match_path(path, kNow).excluded) << path;
    }
}

TEST(Exclusions, AnExtensionIsThatOfTheLastComponentInAnyCase) {
    const auto rules = exclusions({{.name = "img", .extensions = {"iso", "gz"}}});
    for (const std::string_view path : {"/a/x.iso", "/a/x.ISO", "/a.b/x.tar.gz", "/a/x..iso"}) {
        EXPECT_TRUE(rules.match_path(path, kNow).excluded) << path;
    }
    for (const std::string_view path :
         {"/a/iso", "/a.iso/x", "/a/.iso", "/a/x.iso2", "/a/x.", "/a/x.iso/", "iso", ""}) {
        EXPECT_FALSE(rules.match_path(path, kNow).excluded) << path;
    }
    EXPECT_FALSE(rules.match_path("/a/x." + std::string(5000, 'i'), kNow).excluded);
}

TEST(Exclusions, ASetIsInForceUntilItsDayBeginsInUtc) {
    const sys_days day{year{2026} / November / 23};
    const auto rules = exclusions({{.name = "old",
                                    .expires = day,
                                    .paths = {"/a"},
                                    .wildcards = {"/b/*"},
                                    .extensions = {"iso"},
                                    .threats = {"T"},
                                    .processes = {{.path = "/p"}}}});
    const WallTime last = WallTime(day) - nanoseconds{1};
    const auto all = [&](WallTime now) {
        return std::vector{rules.match_path("/a/x", now).excluded,
                           rules.match_path("/b/x", now).excluded,
                           rules.match_path("/x.iso", now).excluded,
                           rules.match_threat("T", now).excluded,
                           rules.match_process({.program = "/p"}, now).excluded,
                           !rules.folders(now).empty()};
    };
    EXPECT_THAT(all(last), testing::Each(true));
    EXPECT_THAT(all(WallTime(day)), testing::Each(false));
}

TEST(Exclusions, ADateBeyondTheClocksRangeIsFarAway) {
    const auto rules = exclusions(
        {{.name = "far", .expires = sys_days{year{9999} / December / 31}, .paths = {"/a"}}});
    EXPECT_TRUE(rules.match_path("/a/x", kNow).excluded);
}

TEST(Exclusions, ASetInForceCountsWhenAnotherWithTheSameRuleHasExpired) {
    const sys_days past{year{2020} / January / 1};
    const auto rules = exclusions(
        {{.name = "old", .expires = past, .paths = {"/a"}}, {.name = "new", .paths = {"/a"}}});
    EXPECT_EQ(rules.match_path("/a/x", kNow).set, "new");
    EXPECT_THAT(rules.folders(kNow), ElementsAre("/a"));
}

TEST(Exclusions, TheSensorGetsTheFoldersOnceAndNoPatterns) {
    const auto rules = exclusions({{.name = "a", .paths = {"/b", "/a"}, .wildcards = {"/w/**"}},
                                   {.name = "b", .paths = {"/a"}}});
    EXPECT_THAT(rules.folders(kNow), ElementsAre("/a", "/b"));
    EXPECT_THAT(exclusions({}).folders(kNow), IsEmpty());
}

TEST(Exclusions, AThreatIsComparedWithoutTheEnginesAddition) {
    const auto rules = exclusions({{.name = "t", .threats = {"Eicar-Test-Signature"}}});
    EXPECT_EQ(rules.match_threat("Eicar-Test-Signature.UNOFFICIAL", kNow).rule,
              "threat Eicar-Test-Signature");
    EXPECT_TRUE(rules.match_threat("Eicar-Test-Signature", kNow).excluded);
    EXPECT_FALSE(rules.match_threat("Eicar-Test-Signature2", kNow).excluded);
    EXPECT_FALSE(rules.match_threat("", kNow).excluded);
}

TEST(Exclusions, AProcessIsItsProgramItsUserAndWhereAskedItsChildren) {
    const auto rules =
        exclusions({{.name = "p",
                     .processes = {{.path = "/usr/bin/make", .user = "ci", .children = true},
                                   {.path = "/usr/bin/rsync"}}}});
    const auto excluded = [&](const ProcessFacts& facts) {
        return rules.match_process(facts, kNow).excluded;
    };
    EXPECT_TRUE(excluded({.program = "/usr/bin/make", .user = "ci"}));
    EXPECT_FALSE(excluded({.program = "/usr/bin/make", .user = "root"}));
    EXPECT_TRUE(excluded({.program = "/usr/bin/rsync", .user = "root"}));
    EXPECT_FALSE(excluded({.program = "/usr/bin/cc", .user = "ci"}));
    EXPECT_TRUE(excluded({.program = "/usr/bin/cc", .ancestor_matches_children_rule = true}));
    EXPECT_FALSE(excluded({}));
}

TEST(Exclusions, MatchingAPathAllocatesNothing) {
    const auto rules = exclusions({{.name = "ci",
                                    .reason = "a reason longer than any small string would hold",
                                    .paths = {"/srv/continuous-integration/cache"},
                                    .wildcards = {"/home/*/.cache/**", "**/*.[oa]"},
                                    .extensions = {"iso"}}});
    const std::string deep = "/home/somebody" + std::string(2000, '/') + "x.o";
    const auto before = allocation_count();
    const bool found = rules.excludes_path("/srv/continuous-integration/cache/x", kNow) &&
                       rules.excludes_path("/home/somebody/.cache/a/b", kNow) &&
                       rules.excludes_path(deep, kNow) && rules.excludes_path("/x.iso", kNow);
    const bool not_found = rules.match_path("/srv/continuous-integration/source", kNow).excluded;
    EXPECT_EQ(allocation_count(), before);
    EXPECT_TRUE(found);
    EXPECT_FALSE(not_found);
}

TEST(Wildcard, AStarStaysWithinAComponent) {
    EXPECT_TRUE(matches("/home/*/.cache/**", "/home/ana/.cache/a/b"));
    EXPECT_TRUE(matches("/home/*/.cache/**", "/home/ana/.cache/"));
    EXPECT_FALSE(matches("/home/*/.cache/**", "/home/ana/x/.cache/a"));
    EXPECT_FALSE(matches("/home/*/.cache/**", "/home/ana/.cache"));
    EXPECT_TRUE(matches("/a*b*c", "/abc"));
    EXPECT_TRUE(matches("/a*b*c", "/axxbyybzc"));
    EXPECT_FALSE(matches("/a*b*c", "/axxbyyb"));
    EXPECT_FALSE(matches("/*", "/a/b"));
}

TEST(Wildcard, TwoStarsCrossComponentsAndMayBeNothing) {
    EXPECT_TRUE(matches("/a/**/b", "/a/b"));
    EXPECT_TRUE(matches("/a/**/b", "/a/x/b"));
    EXPECT_TRUE(matches("/a/**/b", "/a/x/y/b"));
    EXPECT_FALSE(matches("/a/**/b", "/a/xb"));
    EXPECT_FALSE(matches("/a/**/b", "/ab"));
    EXPECT_TRUE(matches("/a/**/**/b", "/a/b"));
    EXPECT_TRUE(matches("**/*.o", "/x.o"));
    EXPECT_TRUE(matches("**/*.o", "/a/b/x.o"));
    EXPECT_TRUE(matches("/a**z", "/a/b/z"));
}

TEST(Wildcard, QuestionMarksClassesAndEscapesMatchOneByte) {
    EXPECT_TRUE(matches("/a?c", "/abc"));
    EXPECT_TRUE(matches("/a?c",
                        "/a\xff"
                        "c"));
    EXPECT_FALSE(matches("/a?c", "/a/c"));
    EXPECT_FALSE(matches("/a?c", "/ac"));
    EXPECT_TRUE(matches("/[a-c]x", "/bx"));
    EXPECT_FALSE(matches("/[a-c]x", "/dx"));
    EXPECT_TRUE(matches("/[!a-c]x", "/dx"));
    EXPECT_FALSE(matches("/a[!b]c", "/a/c"));
    EXPECT_TRUE(matches("/[]]", "/]"));
    EXPECT_TRUE(matches("/[a-]", "/-"));
    EXPECT_TRUE(matches("/[\x80-\xff]", "/\xc3"));
    EXPECT_TRUE(matches("/\\*\\[", "/*["));
    EXPECT_FALSE(matches("/\\*", "/a"));
}

TEST(Wildcard, NewlinesAndAnyOtherByteAreOrdinary) {
    EXPECT_TRUE(matches("/a*z", "/a\n\x1b\xffz"));
    EXPECT_TRUE(matches("/a\nb", "/a\nb"));
}

// Backtracking matchers need longer than the universe for these.
TEST(Wildcard, HostilePatternsCostNoMoreThanTheirLengthTimesThePaths) {
    std::string path = "/" + std::string(4000, 'a');
    std::string stars = "/";
    std::string folders = "/";
    for (int at = 0; at < 60; ++at) {
        stars += "a*";
        folders += "**/a";
    }
    const auto begin = steady_clock::now();
    EXPECT_FALSE(matches(stars + "b", path));
    EXPECT_FALSE(matches("/" + std::string("**a**a**a**a**a**a**a**a**a**a**a") + "b", path));
    for (std::size_t at = 2; at < path.size(); at += 2) {
        path[at] = '/';
    }
    EXPECT_FALSE(matches(folders + "/b", path));
    EXPECT_LT(steady_clock::now() - begin, seconds{5});
}

}  // namespace
}  // namespace vigia::policy
