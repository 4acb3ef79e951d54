// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/decide.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace vigia::policy {
namespace {

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};

Decision decide_with(Policy policy, const Verdict& verdict) {
    const auto shared = std::make_shared<const Policy>(std::move(policy));
    return decide(*shared, Exclusions(shared), verdict, kNow);
}

Policy with_mode(FileMode mode) {
    Policy policy;
    policy.files.mode = mode;
    return policy;
}

Verdict infected(std::string threat) {
    return {.kind = VerdictKind::Infected, .threat = std::move(threat)};
}

TEST(Decide, WhatIsCleanLeadsToNothing) {
    EXPECT_EQ(decide_with({}, {.kind = VerdictKind::Clean}).action, Action::None);
}

TEST(Decide, ADetectionIsReportedOrPutAwayAsTheModeSays) {
    const auto audit = decide_with(with_mode(FileMode::Audit), infected("T"));
    EXPECT_EQ(audit.action, Action::Report);
    EXPECT_EQ(audit.why, "policy mode audit");
    const auto quarantine = decide_with(with_mode(FileMode::Quarantine), infected("T"));
    EXPECT_EQ(quarantine.action, Action::Quarantine);
    EXPECT_EQ(quarantine.why, "policy mode quarantine");
}

TEST(Decide, TheCanaryIsReportedAndNeverPutAway) {
    for (const auto* name : {"Vigia.Canary", "Vigia.Canary.UNOFFICIAL"}) {
        EXPECT_EQ(decide_with(with_mode(FileMode::Quarantine), infected(name)).action,
                  Action::Report);
    }
    EXPECT_EQ(decide_with(with_mode(FileMode::Quarantine), infected("Vigia.Canary2")).action,
              Action::Quarantine);
}

TEST(Decide, AnExcludedThreatIsReportedWithItsSet) {
    auto policy = with_mode(FileMode::Quarantine);
    policy.exclusions = {{.name = "lab", .reason = "samples", .threats = {"T"}}};
    const auto decision = decide_with(policy, infected("T.UNOFFICIAL"));
    EXPECT_EQ(decision.action, Action::Report);
    EXPECT_EQ(decision.why, "threat excluded by set lab");
    EXPECT_EQ(decision.exclusion.rule, "threat T");
    EXPECT_EQ(decision.exclusion.why, "samples");
    policy.exclusions[0].expires = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};
    EXPECT_EQ(decide_with(policy, infected("T")).action, Action::Quarantine);
}

TEST(Decide, AnErrorIsNeverADetection) {
    for (const auto mode : {FileMode::Audit, FileMode::Quarantine}) {
        const auto unscannable = decide_with(
            with_mode(mode), {.kind = VerdictKind::Unscannable, .reason = "kills-workers"});
        EXPECT_EQ(unscannable.action, Action::Report);
        EXPECT_EQ(unscannable.why, "unscannable: kills-workers");
        const auto failed =
            decide_with(with_mode(mode), {.kind = VerdictKind::Failed, .reason = "timeout"});
        EXPECT_EQ(failed.action, Action::None);
        EXPECT_EQ(failed.why, "not judged: timeout");
    }
}

TEST(Decide, OnlyTheEnginesAdditionIsTakenFromAName) {
    EXPECT_EQ(plain_threat_name("A.UNOFFICIAL"), "A");
    EXPECT_EQ(plain_threat_name("A.UNOFFICIAL.B"), "A.UNOFFICIAL.B");
    EXPECT_EQ(plain_threat_name(""), "");
}

}  // namespace
}  // namespace vigia::policy
