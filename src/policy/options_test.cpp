// SPDX-License-Identifier: GPL-2.0-or-later
// Each option with values that are taken and values that are refused.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_file.h"

namespace vigia::policy {
namespace {

struct Option {
    std::string_view section;
    std::string_view key;
    std::vector<std::string> good;  // the first is what it prints as, too
    std::vector<std::string> bad;
};

// NOLINTNEXTLINE(readability-identifier-naming): the name is GoogleTest's
void PrintTo(const Option& option, std::ostream* out) {
    *out << option.section << "." << option.key;
}

std::string document(const Option& option, const std::string& value) {
    return fmt::format("[{}]\n{} = {}\n", option.section, option.key, value);
}

class EachOption : public testing::TestWithParam<Option> {};

TEST_P(EachOption, TakesWhatIsRight) {
    for (const auto& value : GetParam().good) {
        const auto parsed = parse(document(GetParam(), value), "p");
        EXPECT_TRUE(parsed) << value << ": " << parsed.error()[0].text();
    }
}

TEST_P(EachOption, PrintsWhatItTook) {
    const auto parsed = parse(document(GetParam(), GetParam().good[0]), "p");
    ASSERT_TRUE(parsed);
    EXPECT_THAT(to_toml(**parsed),
                testing::HasSubstr(fmt::format("{} = {}\n", GetParam().key, GetParam().good[0])));
}

TEST_P(EachOption, RefusesWhatIsWrongAtItsPlace) {
    for (const auto& value : GetParam().bad) {
        const auto parsed = parse(document(GetParam(), value), "p");
        ASSERT_FALSE(parsed) << value;
        ASSERT_EQ(parsed.error().size(), 1U) << value << ": " << parsed.error()[1].text();
        const auto& problem = parsed.error()[0];
        EXPECT_EQ(problem.line, 2U) << problem.text();
        EXPECT_GT(problem.column, GetParam().key.size()) << problem.text();
        EXPECT_TRUE(
            problem.key.starts_with(fmt::format("{}.{}", GetParam().section, GetParam().key)))
            << problem.text();
    }
}

// NOLINTBEGIN(readability-identifier-naming): constants that constexpr cannot make
const std::string kDigest = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

const std::vector<std::string> kNoFlag{"1", "\"true\"", "[]"};
// NOLINTEND(readability-identifier-naming)

INSTANTIATE_TEST_SUITE_P(
    Policy,
    EachOption,
    testing::Values(
        Option{"policy", "name", {"\"Servers\"", "\"ñandú 1\""}, {"\"\"", "7", "\"a\\nb\""}},
        Option{"policy", "serial", {"7", "0", "9223372036854775807"}, {"-1", "\"7\"", "7.5"}},
        Option{"files", "monitor_copies_and_moves", {"false", "true"}, kNoFlag},
        Option{"files", "mode", {"\"audit\"", "\"quarantine\""}, {"\"Audit\"", "\"off\"", "true"}},
        Option{"files", "on_execute", {"\"block\"", "\"off\"", "\"audit\""}, {"\"deny\"", "false"}},
        Option{"files",
               "on_execute_timeout",
               {"\"500ms\"", "\"2s\"", "\"1m\""},
               {"\"2\"",
                "2",
                "\"2 s\"",
                "\"99ms\"",
                "\"2m\"",
                "\"-1s\"",
                "\"1.5s\"",
                "\"\"",
                "\"99999999999999999999s\"",
                "\"9223372036854775807d\""}},
        Option{"files", "on_timeout", {"\"deny\"", "\"allow\""}, {"\"block\""}},
        Option{"files",
               "watch",
               {"[\"/srv\", \"/home\"]", "[\"/\"]", "[\"/srv/\", \"//home//x\"]"},
               {"\"/srv\"",
                "[\"srv\"]",
                "[\"\"]",
                "[\"/a/../b\"]",
                "[\"/a/.\"]",
                "[1]",
                "[\"/a\\u0000b\"]"}},
        Option{"files",
               "max_file_size",
               {"\"64KiB\"", "4096", "\"4096\"", "\"1GB\"", "\"100MiB\"", "\"1B\""},
               {"\"\"",
                "\"100M\"",
                "\"100 MiB\"",
                "0",
                "-5",
                "\"2GiB\"",
                "\"1TiB\"",
                "true",
                "\"18446744073709551616\"",
                "\"9999999999TiB\""}},
        Option{"files", "archives", {"false"}, kNoFlag},
        Option{"network", "device_flow_correlation", {"false"}, kNoFlag},
        Option{"network", "mode", {"\"block\"", "\"audit\""}, {"\"quarantine\""}},
        Option{"network",
               "block",
               {"[\"203.0.113.0/24\", \"2001:db8::/32\", \"0.0.0.0/0\"]",
                "[\"10.1.2.3\", \"::1\"]",
                "[]"},
               {"[\"203.0.113.1/24\"]",
                "[\"2001:db8::1/32\"]",
                "[\"10.0.0.0/33\"]",
                "[\"10.0.0/8\"]",
                "[\"example.org\"]",
                "[\"10.0.0.0/\"]",
                "[\"10.0.0.0/8x\"]",
                "[\"::ffff:10.0.0.0/104\"]",
                "[\"\"]",
                "[8]"}},
        Option{"network", "allow", {"[\"127.0.0.0/8\"]"}, {"[\"127.0.0.1/8\"]"}},
        Option{"processes", "monitor", {"false"}, kNoFlag},
        Option{"processes", "memfd_execute", {"\"kill\"", "\"audit\""}, {"\"block\""}},
        Option{"processes", "capture_command_line", {"false"}, kNoFlag},
        Option{"processes",
               "redact",
               {"[\"token=\\\\S+\", \"[0-9]{16}\"]"},
               {"[\"(\"]",
                "[\"\"]",
                "[\"a*\"]",
                "[\"[z-a]\"]",
                "[\"" + std::string(257, 'a') + "\"]",
                "[\"(((a{99}){99}){99}){99}\"]"}},
        Option{"exclusions.x", "reason", {"\"why\""}, {"1", "\"\""}},
        Option{"exclusions.x",
               "expires",
               {"2027-01-01"},
               {"\"2027-01-01\"", "2027-01-01T10:00:00Z", "10:00:00", "2027"}},
        Option{"exclusions.x",
               "paths",
               {"[\"/srv/ci\"]", "[\"/srv/ci/\"]"},
               {"[\"/\"]", "[\"//\"]", "[\"ci\"]", "[\"/srv/../etc\"]"}},
        Option{"exclusions.x",
               "wildcards",
               {"[\"/home/*/.cache/**\", \"**/*.[oa]\"]", "[\"/a/\\\\[x\"]"},
               {"[\"*.o\"]",
                "[\"/**\"]",
                "[\"**\"]",
                "[\"/**/*\"]",
                "[\"/a[\"]",
                "[\"/a[]\"]",
                "[\"/a***b\"]",
                "[\"/a\\\\\"]",
                "[\"/a//b\"]",
                "[\"/a/\"]",
                "[\"/a/../b\"]",
                "[\"/[z-a]\"]",
                "[\"/[/]\"]",
                "[\"\"]",
                "[\"/" + std::string(255, 'a') + "\"]"}},
        Option{"exclusions.x",
               "extensions",
               {"[\"iso\", \"qcow2\"]", "[\".iso\", \"ISO\"]"},
               {"[\"tar.gz\"]", "[\"\"]", "[\".\"]", "[\"a/b\"]", "\"iso\""}},
        Option{"exclusions.x",
               "threats",
               {"[\"Eicar-Test-Signature\"]", "[\"X.UNOFFICIAL\"]"},
               {"[\"\"]", "[\"two words\"]"}},
        Option{"exclusions.x",
               "processes",
               {"[{ path = \"/usr/bin/make\", user = \"ci\", children = true }]",
                "[{ path = \"/usr/bin/make\" }]"},
               {"[{ path = \"make\" }]",
                "[{ user = \"ci\" }]",
                "[\"/usr/bin/make\"]",
                "[{ path = \"/m\", childs = true }]",
                "[{ path = \"/m\", children = 1 }]"}},
        Option{"hashes", "block", {"[\"" + kDigest + "\"]"}, {"[\"abc\"]", "[\"\"]", "[1]"}},
        Option{"hashes", "allow", {"[\"" + kDigest + "\"]"}, {"[\"" + kDigest + "0\"]"}},
        Option{"definitions",
               "sources",
               {"[{ kind = \"folder\", path = \"/srv/d\" }, { kind = \"https\", url = "
                "\"https://example.org/d\" }]",
                "[{ kind = \"clamav\" }]"},
               {"[{ kind = \"ftp\" }]",
                "[{ kind = \"https\", url = \"ftp://x\" }]",
                "[{ kind = \"clamav\", mirrors = [\"database.clamav.net\"] }]",
                "{}"}},
        Option{"definitions", "check_every", {"\"30m\"", "\"1s\""}, {"\"0s\"", "\"31d\""}},
        Option{"definitions", "keep_generations", {"1", "100"}, {"0", "101", "\"3\""}},
        Option{"scan", "workers", {"4", "\"auto\""}, {"0", "65", "\"many\"", "true"}},
        Option{"scan", "file_timeout", {"\"10s\""}, {"\"10ms\"", "\"2h\""}},
        Option{"scan",
               "schedule",
               {"[{ kind = \"full\", at = \"weekly sunday 02:30\" }]",
                "[{ kind = \"flash\", at = \"monthly 28 23:59\" }]"},
               {"[{ kind = \"full\", at = \"weekly sundy 02:30\" }]",
                "[{ kind = \"full\", at = \"daily 24:00\" }]",
                "[{ kind = \"full\", at = \"daily 2:30\" }]",
                "[{ kind = \"full\", at = \"monthly 29 02:30\" }]",
                "[{ kind = \"full\", at = \"\" }]",
                "[{ kind = \"ful\", at = \"daily 02:30\" }]"}},
        Option{"scan",
               "cpu_budget",
               {"\"50%\"", "\"1%\"", "\"100%\""},
               {"\"0%\"", "\"101%\"", "\"50\"", "50", "\"%\"", "\"half\""}},
        Option{"scan", "selftest_every", {"\"1m\""}, {"\"1ms\""}},
        Option{"overload", "reduce_at", {"\"1%\"", "\"90%\""}, {"\"0%\"", "\"95%\"", "50"}},
        Option{"overload", "critical_at", {"\"50%\"", "\"100%\""}, {"\"101%\"", "\"49%\""}},
        Option{"overload", "reduce_events", {"1", "60000"}, {"0", "60001", "\"many\""}},
        Option{"overload", "critical_events", {"20000", "1000000"}, {"0", "19999"}},
        Option{"overload", "scan_delay", {"\"1s\"", "\"1d\""}, {"\"10ms\"", "\"2d\"", "5"}},
        Option{"overload", "cpu", {"\"1%\"", "\"100%\""}, {"\"0%\"", "50"}},
        Option{"overload", "rise_after", {"\"0ms\"", "\"1m\""}, {"\"2m\"", "1"}},
        Option{"overload", "calm_after", {"\"1s\"", "\"1h\""}, {"\"10ms\"", "\"2h\""}},
        Option{"overload", "full_walk", {"false"}, kNoFlag},
        Option{"journal", "max_size", {"\"1GiB\""}, {"\"1KiB\""}},
        Option{"journal", "max_age", {"\"1d\"", "\"36h\""}, {"\"1m\"", "\"90m\"", "\"4000d\""}},
        Option{"faults", "self_heal", {"false"}, kNoFlag},
        Option{"faults", "install_packages", {"true"}, kNoFlag},
        Option{"faults",
               "overrides",
               {"[{ id = 6, window = \"10m\", threshold = 3, raise_after = \"0ms\", clear_after = "
                "\"5s\" }]"},
               {"[{ id = 12 }]",
                "[{ window = \"1m\" }]",
                "[{ id = 6, threshold = 0 }]",
                "[{ id = \"6\" }]"}}));

TEST(Options, ASuggestionIsAValueThatIsTaken) {
    struct Case {
        std::string_view text;
        std::string_view suggestion;
    };

    for (const auto& [text, suggestion] : std::vector<Case>{
             {"[files]\nwatch = [\"/a/../b\"]", "/b"},
             {"[files]\nmax_file_size = \"100M\"", "100MiB"},
             {"[files]\non_execute_timeout = \"2\"", "2s"},
             {"[network]\nblock = [\"2001:db8::1/32\"]", "2001:db8::/32"},
             {"[network]\nblock = [\"::ffff:10.1.2.0/120\"]", "10.1.2.0/24"},
             {"[exclusions.x]\nwildcards = [\"*.o\"]", "**/*.o"},
             {"[exclusions.x]\nwildcards = [\"/a/\"]", "/a/**"},
             {"[exclusions.x]\nextensions = [\"tar.gz\"]", "gz"},
             {"[scan]\ncpu_budget = \"50\"", "50%"},
             {"[scan]\nschedule = [{ kind = \"full\", at = \"weekly sundy 02:30\" }]",
              "weekly sunday 02:30"},
             {"[definitions]\nsources = [{ kind = \"https\", url = \"example.org\" }]",
              "https://example.org"},
             {"[fiels]\nmode = \"audit\"", "files"},
             {"[[sink]]\nkind = \"journald\"", "sinks"},
         }) {
        const auto parsed = parse(text, "p");
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error()[0].suggestion, suggestion) << text;
    }
}

TEST(Options, WhatMeansTheSameIsKeptInOneForm) {
    const auto parsed = parse(R"(
[files]
watch = ["/srv/", "//home//x"]
[network]
block = ["10.1.2.3", "2001:DB8:0::/32"]
[exclusions.x]
extensions = [".ISO"]
threats = ["X.UNOFFICIAL"]
)",
                              "p");
    ASSERT_TRUE(parsed);
    EXPECT_THAT((*parsed)->files.watch, testing::ElementsAre("/srv", "/home/x"));
    EXPECT_THAT((*parsed)->network.block, testing::ElementsAre("10.1.2.3/32", "2001:db8::/32"));
    EXPECT_THAT((*parsed)->exclusions[0].extensions, testing::ElementsAre("iso"));
    EXPECT_THAT((*parsed)->exclusions[0].threats, testing::ElementsAre("X"));
}

}  // namespace
}  // namespace vigia::policy
