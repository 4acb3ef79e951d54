// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_file.h"

namespace vigia::policy {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<Problem> problems_of(std::string_view text) {
    const auto parsed = parse(text, "policy.toml");
    return parsed ? std::vector<Problem>{} : parsed.error();
}

std::string all_of(const std::vector<Problem>& problems) {
    std::string text;
    for (const auto& problem : problems) {
        text += problem.text() + "\n";
    }
    return text;
}

Policy policy_of(std::string_view text) {
    const auto parsed = parse(text, "policy.toml");
    if (!parsed) {
        ADD_FAILURE() << all_of(parsed.error());
        return {};
    }
    return **parsed;
}

// The example of the interface contract, word for word.
constexpr std::string_view kSample = R"([policy]
name = "Protect"
serial = 7

[files]
monitor_copies_and_moves = true       # faults 8, 11, 16
mode = "quarantine"                   # audit | quarantine
on_execute = "block"                  # off | audit (scan after) | block (scan before it runs)
on_execute_timeout = "2s"
on_timeout = "allow"                  # allow | deny
watch = ["/"]                         # these folders and all below, mounts included
max_file_size = "100MiB"
archives = true

[network]
device_flow_correlation = true        # faults 9, 11, 16
mode = "audit"                        # audit | block
block = ["203.0.113.0/24", "2001:db8::/32"]
allow = []

[processes]
monitor = true
memfd_execute = "audit"               # audit | kill
capture_command_line = true
redact = ["password=\\S+"]

[exclusions.ci]                       # any number of named sets
reason = "build farm"
expires = 2027-01-01
paths = ["/srv/ci/cache"]             # a folder and everything below
wildcards = ["/home/*/.cache/**"]
extensions = ["iso"]
threats = ["Eicar-Test-Signature"]
processes = [{ path = "/usr/bin/make", user = "ci", children = true }]

[hashes]
block = []                            # SHA-256
allow = []

[definitions]
sources = [{ kind = "clamav", mirrors = ["https://database.clamav.net"] }, { kind = "folder", path = "/srv/definitions" }]
check_every = "1h"
keep_generations = 3

[scan]
workers = "auto"
schedule = [{ kind = "flash", at = "daily 02:30" }]
cpu_budget = "25%"                    # of the machine, for background scanning

[faults]
self_heal = true
install_packages = false
overrides = [{ id = 6, window = "10m", threshold = 3 }]

[[sinks]]
kind = "jsonl"                        # jsonl | journald | syslog | otlp | nats
path = "/var/log/vigia/events.jsonl"
)";

TEST(PolicyFile, TheSampleOfTheContractParsesAndSaysWhatItSays) {
    const auto policy = policy_of(kSample);
    EXPECT_EQ(policy.name, "Protect");
    EXPECT_EQ(policy.serial, 7U);
    EXPECT_EQ(policy.files.on_execute, ExecMode::Block);
    EXPECT_EQ(policy.files.on_execute_timeout, milliseconds{2000});
    EXPECT_EQ(policy.files.max_file_size, 100U << 20U);
    EXPECT_THAT(policy.files.watch, ElementsAre("/"));
    EXPECT_THAT(policy.network.block, ElementsAre("203.0.113.0/24", "2001:db8::/32"));
    EXPECT_THAT(policy.processes.redact, ElementsAre("password=\\S+"));
    ASSERT_THAT(policy.exclusions, SizeIs(1));
    const auto& ci = policy.exclusions[0];
    EXPECT_EQ(ci.name, "ci");
    EXPECT_EQ(ci.reason, "build farm");
    using namespace std::chrono;
    EXPECT_EQ(ci.expires, sys_days{year{2027} / January / 1});
    EXPECT_THAT(ci.threats, ElementsAre("Eicar-Test-Signature"));
    ASSERT_THAT(ci.processes, SizeIs(1));
    EXPECT_EQ(ci.processes[0].user, "ci");
    EXPECT_TRUE(ci.processes[0].children);
    ASSERT_THAT(policy.definitions.sources, SizeIs(2));
    EXPECT_EQ(policy.definitions.sources[1].path, "/srv/definitions");
    EXPECT_EQ(policy.definitions.check_every, milliseconds{3'600'000});
    EXPECT_FALSE(policy.scan.workers);
    EXPECT_EQ(policy.scan.cpu_budget_percent, 25U);
    ASSERT_THAT(policy.faults.overrides, SizeIs(1));
    EXPECT_EQ(policy.faults.overrides[0].window, milliseconds{600'000});
    EXPECT_EQ(policy.faults.overrides[0].threshold, 3U);
    ASSERT_THAT(policy.sinks, SizeIs(1));
    EXPECT_EQ(policy.sinks[0].path, "/var/log/vigia/events.jsonl");
}

TEST(PolicyFile, AnEmptyFileIsThePolicyOfTheModel) {
    EXPECT_THAT(difference(policy_of(""), Policy{}), IsEmpty());
}

TEST(PolicyFile, TheDefaultPolicyIsValidAndSafe) {
    const auto policy = policy_of(default_text());
    EXPECT_EQ(policy.name, "Default");
    EXPECT_EQ(policy.files.mode, FileMode::Quarantine);
    EXPECT_EQ(policy.files.on_execute, ExecMode::Off);
    EXPECT_THAT(policy.files.watch, ElementsAre("/"));
    EXPECT_THAT(policy.exclusions, IsEmpty());
    ASSERT_THAT(policy.sinks, SizeIs(1));
}

// What the file says by default must be what the model says where the file is silent.
TEST(PolicyFile, TheDefaultPolicyDiffersFromSilenceOnlyWhereItMeansTo) {
    EXPECT_THAT(difference(Policy{}, policy_of(default_text())),
                ElementsAre(HasSubstr("policy.serial: 0 → 1"),
                            HasSubstr("processes.redact: + "),
                            HasSubstr("sinks: + ")));
}

TEST(PolicyFile, TenMistakesAreTenProblemsWithTheirPlaces) {
    constexpr std::string_view kText = R"([policy]
name = "Ten"
seriel = 7

[files]
mode = "quarantin"
watch = ["srv/data"]
max_file_size = "100 apples"
archives = "yes"

[netwrok]
mode = "audit"

[network]
block = ["203.0.113.5/24"]

[exclusions.ci]
expires = "2027-01-01"

[scan]
cpu_budget = "250%"

[faults]
overrides = [{ id = 12 }]
)";
    const auto problems = problems_of(kText);
    ASSERT_THAT(problems, SizeIs(10)) << all_of(problems);

    struct Expected {
        unsigned line;
        unsigned column;
        std::string_view key;
        std::string_view suggestion;
    };

    const std::vector<Expected> expected{{3, 1, "policy.seriel", "serial"},
                                         {6, 8, "files.mode", "quarantine"},
                                         {7, 10, "files.watch[1]", ""},
                                         {8, 17, "files.max_file_size", ""},
                                         {9, 12, "files.archives", ""},
                                         {11, 2, "netwrok", "network"},
                                         {15, 10, "network.block[1]", "203.0.113.0/24"},
                                         {18, 11, "exclusions.ci.expires", "2027-01-01"},
                                         {21, 14, "scan.cpu_budget", ""},
                                         {24, 21, "faults.overrides[1].id", ""}};
    for (std::size_t at = 0; at < expected.size(); ++at) {
        SCOPED_TRACE(problems[at].text());
        EXPECT_EQ(problems[at].line, expected[at].line);
        EXPECT_EQ(problems[at].column, expected[at].column);
        EXPECT_EQ(problems[at].key, expected[at].key);
        EXPECT_EQ(problems[at].suggestion, expected[at].suggestion);
    }
    EXPECT_EQ(problems[1].text(),
              "policy.toml:6:8: files.mode: unknown value 'quarantin'; expected audit or "
              "quarantine; did you mean 'quarantine'?");
}

TEST(PolicyFile, ASyntaxErrorIsOneProblemWithItsPlace) {
    const auto problems = problems_of("[policy]\nname = \"Open\nserial = x\n");
    ASSERT_THAT(problems, SizeIs(1));
    EXPECT_EQ(problems[0].line, 2U);
    EXPECT_GT(problems[0].column, 7U);
    EXPECT_THAT(problems[0].message, testing::Not(IsEmpty()));
}

TEST(PolicyFile, AKeyGivenTwiceIsRefused) {
    const auto problems = problems_of("[files]\nmode = \"audit\"\nmode = \"quarantine\"\n");
    ASSERT_THAT(problems, SizeIs(1));
    EXPECT_EQ(problems[0].line, 3U);
}

TEST(PolicyFile, ProblemsPrintNothingThatATerminalWouldObey) {
    const auto problems = problems_of("[files]\nmode = \"\\u001b[2J\\n\"\n\"\\u0007\" = 1\n");
    ASSERT_THAT(problems, SizeIs(2));
    for (const auto& problem : problems) {
        const auto text = problem.text();
        EXPECT_TRUE(std::ranges::none_of(text, [](unsigned char c) { return c < 0x20; })) << text;
    }
}

TEST(PolicyFile, PrintedAsTomlItReadsBackAsTheSamePolicy) {
    for (const std::string_view text : {kSample, default_text()}) {
        const auto policy = policy_of(text);
        const auto printed = to_toml(policy);
        SCOPED_TRACE(printed);
        const auto again = policy_of(printed);
        EXPECT_THAT(difference(policy, again), IsEmpty());
        EXPECT_EQ(to_json(policy), to_json(again));
        EXPECT_EQ(to_toml(again), printed);
    }
}

TEST(PolicyFile, TextsWithQuotesBackslashesAndControlsSurviveThePrinting) {
    Policy policy = policy_of(kSample);
    policy.exclusions[0].paths = {"/srv/\"q\"", "/srv/back\\slash", "/srv/new\nline", "/srv/ñ"};
    policy.exclusions.push_back({.name = "empty"});
    const auto again = policy_of(to_toml(policy));
    EXPECT_EQ(again.exclusions[0].paths, policy.exclusions[0].paths);
    EXPECT_THAT(again.exclusions, SizeIs(2));
}

TEST(PolicyFile, ItsJsonHasTheKeysOfTheFile) {
    const auto json = Json::parse(to_json(policy_of(kSample)));
    EXPECT_EQ(json["policy"]["name"], "Protect");
    EXPECT_EQ(json["files"]["max_file_size"], "100MiB");
    EXPECT_EQ(json["files"]["on_execute_timeout"], "2s");
    EXPECT_EQ(json["exclusions"]["ci"]["expires"], "2027-01-01");
    EXPECT_EQ(json["exclusions"]["ci"]["processes"][0]["children"], true);
    EXPECT_EQ(json["definitions"]["sources"][0]["mirrors"][0], "https://database.clamav.net");
    EXPECT_EQ(json["scan"]["workers"], "auto");
    EXPECT_EQ(json["scan"]["file_timeout"], "2m");
    EXPECT_EQ(json["journal"]["max_age"], "90d");
    EXPECT_EQ(json["sinks"][0]["kind"], "jsonl");
    EXPECT_EQ(json["sinks"][0]["rotate_size"], "100MiB");
}

TEST(PolicyFile, ADifferenceIsOneLineForEachOptionThatDiffers) {
    const auto before = policy_of(kSample);
    auto after = before;
    EXPECT_THAT(difference(before, after), IsEmpty());
    after.files.mode = FileMode::Audit;
    after.files.watch = {"/home", "/srv"};
    after.scan.workers = 4;
    after.exclusions[0].expires.reset();
    after.exclusions[0].reason.clear();
    after.sinks.clear();
    EXPECT_THAT(difference(before, after),
                ElementsAre("files.mode: quarantine → audit",
                            "files.watch: + /home, + /srv, − /",
                            "exclusions.ci.reason: build farm → (not set)",
                            "exclusions.ci.expires: 2027-01-01 → (not set)",
                            "scan.workers: auto → 4",
                            HasSubstr("sinks: − { kind = \"jsonl\"")));
}

TEST(PolicyFile, ADifferenceEscapesNamesOnce) {
    const auto before = policy_of(kSample);
    auto after = before;
    after.files.watch = {"/", "/srv/a\nb\\c"};
    after.exclusions[0].processes.push_back({.path = "/srv/d\ne\\f"});
    EXPECT_THAT(
        difference(before, after),
        ElementsAre("files.watch: + /srv/a\\nb\\\\c", HasSubstr("\"/srv/d\\u000ae\\\\f\"")));
}

TEST(PolicyFile, AHashOrNetworkOnBothListsIsRefused) {
    const std::string digest(64, 'a');
    const auto hashes = problems_of(fmt::format(
        "[hashes]\nblock = [\"{}\"]\nallow = [\"{}\"]\n", digest, std::string(64, 'A')));
    ASSERT_THAT(hashes, SizeIs(1));
    EXPECT_EQ(hashes[0].key, "hashes.allow[1]");
    const auto networks = problems_of(
        "[network]\nblock = [\"10.0.0.1\"]\nallow = [\"10.0.0.0/8\", \"10.0.0.1/32\"]\n");
    ASSERT_THAT(networks, SizeIs(1));
    EXPECT_EQ(networks[0].key, "network.allow[2]");
}

TEST(PolicyFile, WhatIsThereTwiceOrTakesAwayItsOwnGroundIsRefused) {
    struct Case {
        std::string_view text;
        std::string_view key;
    };

    for (const auto& [text, key] : std::vector<Case>{
             {"[faults]\noverrides = [{id = 6}, {id = 7}, {id = 6}]", "faults.overrides[3]"},
             {"[[sinks]]\nkind = \"journald\"\n[[sinks]]\nkind = \"journald\"", "sinks[2]"},
             {"[definitions]\nsources = [{kind=\"folder\", path=\"/a\"}, {kind=\"folder\", "
              "path=\"/a\"}]",
              "definitions.sources[2]"},
             {"[files]\nwatch = []", "files.watch"},
             {"[processes]\nmonitor = false\nmemfd_execute = \"kill\"", "processes.memfd_execute"},
         }) {
        const auto problems = problems_of(text);
        SCOPED_TRACE(std::string(text) + "\n" + all_of(problems));
        ASSERT_THAT(problems, SizeIs(1));
        EXPECT_EQ(problems[0].key, key);
    }
    EXPECT_THAT(problems_of("[files]\nwatch = []\nmonitor_copies_and_moves = false"), IsEmpty());
}

TEST(PolicyFile, AKindThatLacksItsKeyOrHasAnothersIsRefused) {
    for (const std::string_view text : {"[[sinks]]\nkind = \"jsonl\"",
                                        "[[sinks]]\nkind = \"otlp\"",
                                        "[[sinks]]\nkind = \"journald\"\npath = \"/x\"",
                                        "[[sinks]]\nkind = \"json\"",
                                        "[[sinks]]\npath = \"/x\"",
                                        "[definitions]\nsources = [{ kind = \"folder\" }]",
                                        R"([definitions]
sources = [{ kind = "clamav", path = "/x" }])",
                                        "[scan]\nschedule = [{ kind = \"flash\" }]",
                                        "[exclusions.a]\nprocesses = [{ user = \"ci\" }]"}) {
        const auto problems = problems_of(text);
        SCOPED_TRACE(std::string(text) + "\n" + all_of(problems));
        EXPECT_THAT(problems, SizeIs(1));
    }
}

}  // namespace
}  // namespace vigia::policy
