// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/suggestions.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "daemon/writers.h"

namespace vigia::daemon {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

Advisor advisor() {
    return {
        .others_write = [](const std::string& path) { return path.starts_with("/tmp"); },
        .is_excluded = [](const policy::ExclusionRule& rule) { return rule.value == "/bin/out"; },
        .set_exists = [](const std::string& set) { return set == "busy-make"; },
        .is_ours = [](const std::string& path) { return path == "/usr/sbin/vigiad"; },
        .today = 2026y / 11 / 26};
}

ProgramCosts::Program program(const std::string& path, double share) {
    return {.load = {.path = path, .user = "ci", .share = share}, .lasting_share = share};
}

TEST(Warning, NamesWhatRunsAnythingAndWhatAnybodyCanReplace) {
    const auto none = [](const std::string&) { return false; };
    EXPECT_EQ(warning_of("/usr/bin/bash", none), "shell");
    EXPECT_EQ(warning_of("/usr/bin/python3.11", none), "interpreter");
    EXPECT_EQ(warning_of("/usr/bin/perl5.36.0", none), "interpreter");
    EXPECT_EQ(warning_of("/usr/bin/apt-get", none), "package-manager");
    EXPECT_EQ(warning_of("/usr/bin/make", none), "");
    EXPECT_EQ(warning_of("/usr/bin/bashful", none), "");
    EXPECT_EQ(warning_of("/tmp/x", advisor().others_write), "world-writable");
}

TEST(Suggestions, BeginWithWhatTakesMostAwayAndLeaveOutWhatHelpsNobody) {
    ProgramCosts::Report report;
    report.programs = {program("/usr/bin/make", 0.2),
                       program("/usr/bin/bash", 0.5),
                       program("", 0.2),
                       program("/bin/out", 0.04),
                       program("/usr/sbin/vigiad", 0.03),
                       program("/srv/\xff", 0.02),
                       program("/usr/bin/rare", 0.005)};
    const auto all = suggest(report, advisor());
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].program, "/usr/bin/bash");
    EXPECT_EQ(all[0].warning, "shell");
    EXPECT_EQ(all[1].command,
              "vigia exclusions add busy-make-2 --process /usr/bin/make --user ci "
              "--reason '20% of the load on 2026-11-26'");
}

TEST(Suggestions, QuoteWhateverTheProgramIsCalled) {
    const auto load =
        advised({.path = "/srv/it's $(x)\n", .user = "1234", .share = 0.5}, advisor());
    EXPECT_EQ(load.exclusion,
              "vigia exclusions add busy-it_s___x__ --process $'/srv/it\\'s $(x)\\x0a' "
              "--reason '50% of the load on 2026-11-26'");
    EXPECT_EQ(advised({.path = "relative", .share = 0.5}, advisor()).exclusion, "");
    EXPECT_EQ(advised({.path = "", .share = 0.5}, advisor()).exclusion, "");
}

TEST(Suggestions, OfferTheFolderThatHoldsMostOfWhatAProgramWrites) {
    ProgramCosts::Report report;
    report.programs = {program("/usr/bin/bash", 0.5)};
    report.programs[0].folders = {{.path = "/srv/ci/cache/a", .part = 0.5},
                                  {.path = "/srv/ci/cache/b", .part = 0.4},
                                  {.path = "/home/x", .part = 0.1}};
    const auto all = suggest(report, advisor());
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[1].rule.kind, policy::RuleKind::Path);
    EXPECT_EQ(all[1].rule.value, "/srv/ci/cache");
    EXPECT_NEAR(all[1].share, 0.45, 1e-9);
    EXPECT_EQ(all[1].warning, "");
}

TEST(OthersMayWrite, SeesTheFileAndEveryFolderAboveIt) {
    std::string pattern = (fs::temp_directory_path() / "vigia-others-XXXXXX").native();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    EXPECT_TRUE(others_may_write(pattern + "/program"));  // below /tmp, sticky or not
    EXPECT_FALSE(others_may_write("/usr/bin/env"));
    fs::remove_all(pattern);
}

// Processes as a test says they are.
struct Host {
    std::map<pid_t, Writers::Process> processes;
    BootTime now{100s};

    [[nodiscard]] Writers::Hooks hooks() {
        return {.look = [this](pid_t pid) -> std::optional<Writers::Process> {
                    const auto found = processes.find(pid);
                    return found == processes.end() ? std::nullopt : std::optional(found->second);
                },
                .user_name = [](unsigned uid) { return uid == 7 ? "ci" : "root"; },
                .now = [this] { return now; }};
    }
};

PolicyPtr policy_with(ProcessExclusion rule) {
    Policy policy;
    policy.exclusions.push_back(
        {.name = "s", .reason = "r", .expires = {}, .processes = {std::move(rule)}});
    return std::make_shared<const PolicyInForce>(std::make_shared<const Policy>(std::move(policy)),
                                                 "test");
}

FileActivity event(pid_t pid, BootTime after, BootTime read_at) {
    return {.object = {}, .path_hint = "/srv/x", .pid = pid, .read_at = read_at, .after = after};
}

TEST(Writers, LeaveOutOnlyWhatHappenedBetweenTwoLooksAtTheSameProgram) {
    Host host{.processes = {{5, {.start_ns = 1, .path = "/bin/make", .uid = 7}}}};
    Writers writers(host.hooks());
    const auto policy = policy_with({.path = "/bin/make", .user = "ci"});
    const auto excluded = [&](BootTime after) {
        return writers.excluded(event(5, after, host.now), policy, WallTime{}).excluded;
    };
    EXPECT_FALSE(excluded(BootTime{99s}));  // it may have happened before the first look
    host.now = BootTime{101s};
    EXPECT_FALSE(excluded(BootTime{}));  // nobody knows when
    EXPECT_TRUE(excluded(BootTime{100s}));
    host.processes[5].path = "/bin/evil";
    host.now = BootTime{102s};
    EXPECT_FALSE(excluded(BootTime{101s}));
    host.processes[5].path = "/bin/make";
    host.now = BootTime{103s};
    EXPECT_FALSE(excluded(BootTime{102s}));
    host.now = BootTime{104s};
    EXPECT_TRUE(excluded(BootTime{103s}));
    host.processes[5].start_ns = 2;  // another one with its number
    host.now = BootTime{105s};
    EXPECT_FALSE(excluded(BootTime{104s}));
    host.processes.clear();
    host.now = BootTime{106s};
    EXPECT_FALSE(excluded(BootTime{105s}));
}

TEST(Writers, KnowTheUserTheChildrenAndANewPolicy) {
    Host host{.processes = {{5, {.start_ns = 1, .path = "/bin/make", .uid = 0}},
                            {6, {.start_ns = 2, .path = "/bin/cc", .uid = 0, .parent = 5}},
                            {7, {.start_ns = 3, .path = "/bin/as", .uid = 0, .parent = 6}}}};
    Writers writers(host.hooks());
    const auto excluded = [&](pid_t pid, const PolicyPtr& policy) {
        (void)writers.excluded(event(pid, host.now, host.now), policy, WallTime{});
        const auto met = host.now;
        host.now += 1s;
        return writers.excluded(event(pid, met, host.now), policy, WallTime{}).excluded;
    };
    EXPECT_FALSE(excluded(5, policy_with({.path = "/bin/make", .user = "ci"})));
    EXPECT_TRUE(excluded(5, policy_with({.path = "/bin/make", .user = "root"})));
    EXPECT_FALSE(excluded(7, policy_with({.path = "/bin/make"})));
    EXPECT_TRUE(excluded(7, policy_with({.path = "/bin/make", .children = true})));
    EXPECT_FALSE(excluded(0, policy_with({.path = "/bin/make", .children = true})));
    EXPECT_FALSE(excluded(99, policy_with({.path = "/bin/make", .children = true})));
}

}  // namespace
}  // namespace vigia::daemon
