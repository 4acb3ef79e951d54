// SPDX-License-Identifier: GPL-2.0-or-later
// Policy files that nobody would write by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "policy/policy_file.h"

namespace vigia::policy {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Problem only_problem(std::string_view text) {
    const auto parsed = parse(text, "policy.toml");
    if (parsed || parsed.error().size() != 1) {
        ADD_FAILURE() << "expected exactly one problem";
        return {};
    }
    return parsed.error()[0];
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string result;
    for (std::size_t at = 0; at < times; ++at) {
        result += text;
    }
    return result;
}

TEST(HostilePolicy, TenMebibytesAreRefusedUnread) {
    EXPECT_THAT(only_problem(std::string(std::size_t{10} << 20U, '#')).message,
                HasSubstr("10485760 bytes"));
}

TEST(HostilePolicy, ANulByteIsNamedWithItsPlace) {
    using namespace std::string_view_literals;
    const auto problem = only_problem("[policy]\nname = \"a\0b\"\n"sv);
    EXPECT_EQ(problem.line, 2U);
    EXPECT_EQ(problem.column, 10U);
    EXPECT_THAT(problem.message, HasSubstr("NUL"));
}

TEST(HostilePolicy, InvalidUtf8IsNamedWithItsPlaceInCharacters) {
    const auto problem = only_problem("# ñ\n# ññ\xff\n");
    EXPECT_EQ(problem.line, 2U);
    EXPECT_EQ(problem.column, 5U);
    EXPECT_THAT(problem.message, HasSubstr("UTF-8"));
}

TEST(HostilePolicy, DeepNestingIsRefusedBeforeTheParserRecurses) {
    for (const auto& text : {"a = " + repeated("[", 100'000),
                             "a = " + repeated("{a=", 100'000),
                             repeated("a.", 100'000) + "a = 1",
                             repeated("\"a\" . ", 100'000) + "a = 1",
                             "[" + repeated("a.", 100'000) + "a]",
                             repeated("[", 100'000)}) {
        EXPECT_THAT(only_problem(text).message, HasSubstr("nested"));
    }
}

TEST(HostilePolicy, BracketsAndDotsInStringsAndCommentsAreNoNesting) {
    const auto dots = repeated(".[{", 100);
    for (const auto& text : {"# " + dots + "\n",
                             "[policy]\nname = '" + dots.substr(0, 99) + "'",
                             "[policy]\nname = \"\\\"" + dots.substr(0, 99) + "\"",
                             "[policy]\nname = '''" + dots.substr(0, 99) + "''''",
                             "[policy]\nname = \"\"\"" + dots.substr(0, 99) + "\\\"\"\"\"\""}) {
        const auto parsed = parse(text, "p");
        EXPECT_TRUE(parsed) << text << parsed.error()[0].text();
    }
}

// The parser's own assertions do not hold for these.
TEST(HostilePolicy, WhatIsNoKeyInAHeaderIsASyntaxError) {
    for (const std::string_view text : {"[[}]", "[}]", "[=]", "[[=]]", "[\"a\".}]", "a.} = 1"}) {
        EXPECT_EQ(only_problem(text).line, 1U) << text;
    }
}

TEST(HostilePolicy, LatinLettersBehindALineContinuationAreText) {
    const auto parsed = parse("[policy]\nname = \"\"\"\\\n  ñandú\"\"\"\n", "p");
    ASSERT_TRUE(parsed) << parsed.error()[0].text();
    EXPECT_EQ((*parsed)->name, "ñandú");
    EXPECT_EQ(only_problem("[policy]\nnameñ = 1\n").line, 2U);
}

TEST(HostilePolicy, AThousandMistakesAreListedAndTheRestCounted) {
    std::string text = "[files]\nwatch = [";
    text += repeated("1,", 50'000) + "]\n";
    const auto parsed = parse(text, "policy.toml");
    ASSERT_FALSE(parsed);
    ASSERT_THAT(parsed.error(), SizeIs(1001));
    EXPECT_THAT(parsed.error().back().message, HasSubstr("49000 further mistakes"));
}

TEST(HostilePolicy, ALongUnknownNameIsToldOfShortly) {
    const auto parsed = parse("[files]\nmode = \"" + std::string(1'000'000, 'q') + "\"", "p");
    ASSERT_FALSE(parsed);
    EXPECT_LT(parsed.error()[0].text().size(), 1000U);
}

TEST(HostilePolicy, ASectionThatIsNoTableIsAMistakeNotACrash) {
    for (const std::string_view text : {"files = 1",
                                        "exclusions = []",
                                        "exclusions = {a = 1}",
                                        "sinks = {}",
                                        "sinks = [1]",
                                        "policy = []",
                                        "[exclusions]\n\"../x\" = {}",
                                        "[exclusions]\n\"\" = {}"}) {
        const auto parsed = parse(text, "p");
        ASSERT_FALSE(parsed) << text;
        EXPECT_THAT(parsed.error(), SizeIs(1)) << text;
    }
}

}  // namespace
}  // namespace vigia::policy
