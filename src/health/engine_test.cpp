// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "health/catalogue.h"

namespace vigia::health {
namespace {

using namespace std::chrono_literals;

// A fault of the test's own: it fails as the facts say, so that only the engine is looked at.
Finding probe(const Facts& facts, const Timing& /*timing*/) {
    if (facts.scan.state.empty()) {
        return Finding::unknown("not said");
    }
    if (facts.scan.state == "ready") {
        return Finding::ok();
    }
    return Finding::failing(facts.scan.state == "failed" ? Severity::Critical : Severity::Major,
                            facts.scan.state == "slow" ? "slow" : "down");
}

constexpr Text kText{.en = "text", .es = "texto"};
constexpr std::array kSteps{Step{.text = kText}};
constexpr std::array kCauses{
    Cause{.word = "down",
          .description = kText,
          .lost = kText,
          .remedy = kSteps,
          .heal = {.action = Heal::RetryLoad, .attempts = 3, .backoff = 10s}},
    Cause{.word = "slow", .description = kText, .lost = kText, .remedy = kSteps},
};
constexpr Fault kFault{
    .id = 900,
    .key = "test",
    .severity = Severity::Major,
    .title = kText,
    .summary = kText,
    .gate = "files.monitor_copies_and_moves",
    .wanted = [](const Facts::Wanted& wanted) { return wanted.copies_and_moves; },
    .causes = kCauses,
    .probe = probe,
    .timing = {.raise_after = 5s, .clear_after = 10s},
};
constexpr std::array<const Fault*, 1> kCatalogue{&kFault};

class EngineTest : public ::testing::Test {
protected:
    void after(std::chrono::nanoseconds time, const std::string& state) {
        facts_.now += time;
        facts_.wall += time;
        facts_.scan.state = state;
        auto outcome = engine_.evaluate(facts_, settings_);
        for (auto& transition : outcome.transitions) {
            told_.push_back(std::move(transition));
        }
        for (auto& heal : outcome.heals) {
            heals_.push_back(std::move(heal));
        }
        again_at_ = outcome.again_at;
    }

    [[nodiscard]] std::size_t count(Transition::Kind kind) const {
        return static_cast<std::size_t>(
            std::ranges::count(told_, kind, [](const Transition& t) { return t.kind; }));
    }

    Facts facts_{.now = BootTime{} + 100h, .wall = WallTime{} + 1000h};
    Engine::Settings settings_;
    Engine engine_{kCatalogue, {}};
    std::vector<Transition> told_;
    std::vector<HealRequest> heals_;
    std::optional<BootTime> again_at_;
};

using enum Transition::Kind;

Episode raised(int id, WallTime at) {
    Episode episode;
    episode.id = id;
    episode.raised_at = at;
    return episode;
}

TEST_F(EngineTest, RaisesOnlyAfterTheConditionHasHeldAndSaysWhenToLookAgain) {
    after(0s, "down");
    EXPECT_TRUE(told_.empty());
    ASSERT_TRUE(again_at_.has_value());
    EXPECT_EQ(*again_at_, facts_.now + 5s);
    after(5s, "down");
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_EQ(told_[0].kind, Raised);
    EXPECT_EQ(told_[0].episode.cause, "down");
    EXPECT_EQ(told_[0].episode.raised_at, facts_.wall);
}

TEST_F(EngineTest, ABlipRaisesNothing) {
    after(0s, "down");
    after(4s, "ready");
    after(2s, "down");
    after(4s, "down");
    EXPECT_TRUE(told_.empty());
}

TEST_F(EngineTest, ClearsOnceInTheSameEpisodeAndThenSaysThatAllIsClear) {
    settings_.self_heal = false;  // a repair that still runs would have healed it
    after(0s, "down");
    after(5s, "down");
    after(1s, "ready");
    after(9s, "ready");
    EXPECT_EQ(told_.size(), 1U);
    after(1s, "ready");
    after(1h, "ready");
    ASSERT_EQ(told_.size(), 3U);
    EXPECT_EQ(told_[1].kind, Cleared);
    EXPECT_EQ(told_[1].episode.episode, told_[0].episode.episode);
    EXPECT_EQ(told_[1].episode.cleared_because, "condition-gone");
    EXPECT_EQ(told_[2].kind, AllCleared);
}

TEST_F(EngineTest, UnknownNeitherRaisesNorClearsAndIsShown) {
    after(0s, "down");
    after(4s, "");
    after(100s, "");
    EXPECT_TRUE(told_.empty());
    ASSERT_EQ(engine_.doubts().size(), 1U);
    EXPECT_EQ(engine_.doubts()[0].why, "not said");
    EXPECT_EQ(engine_.doubts()[0].since, facts_.now - 100s);
    after(0s, "down");
    after(5s, "down");
    after(1s, "");
    after(1h, "");
    EXPECT_EQ(told_.size(), 1U);
}

TEST_F(EngineTest, ChangesOfSeverityAndCauseAreToldWithinTheEpisode) {
    after(0s, "down");
    after(5s, "down");
    after(1s, "failed");
    after(1s, "slow");
    ASSERT_EQ(told_.size(), 3U);
    EXPECT_EQ(told_[1].kind, Updated);
    EXPECT_EQ(told_[1].severity_before, Severity::Major);
    EXPECT_EQ(told_[1].episode.severity, Severity::Critical);
    EXPECT_EQ(told_[2].cause_before, "down");
    EXPECT_EQ(told_[2].episode.cause, "slow");
    EXPECT_EQ(told_[2].episode.episode, told_[0].episode.episode);
}

TEST_F(EngineTest, WhatPolicyNoLongerWantsIsClearedAtOnceAndNotRaised) {
    after(0s, "down");
    after(5s, "down");
    facts_.wanted.copies_and_moves = false;
    after(0s, "down");
    after(1h, "down");
    ASSERT_EQ(told_.size(), 3U);
    EXPECT_EQ(told_[1].episode.cleared_because, "not-wanted-by-policy");
}

TEST_F(EngineTest, AnEpisodeThatWasOpenGoesOnAfterARestart) {
    after(0s, "down");
    after(5s, "down");
    auto open = engine_.open();
    engine_ = Engine(kCatalogue, std::move(open));
    told_.clear();
    facts_.now = BootTime{} + 1s;  // another boot: only durations count
    after(0s, "down");
    after(1h, "down");
    EXPECT_TRUE(told_.empty());
    after(0s, "ready");
    after(10s, "ready");
    ASSERT_EQ(told_.size(), 2U);
    EXPECT_EQ(told_[0].kind, Cleared);
    EXPECT_EQ(told_[1].kind, AllCleared);
}

TEST_F(EngineTest, WhatWasRaisedBeforeARestartCountsForFlapping) {
    std::vector<Episode> history;
    for (const auto age : {10min, 20min, 30min, 40min, 50min}) {
        history.push_back(raised(kFault.id, facts_.wall - age));
    }
    engine_.remember(history, facts_.wall, facts_.now);
    after(0s, "down");
    after(5s, "down");
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_TRUE(told_[0].episode.flapping);
}

TEST_F(EngineTest, WhatIsOlderThanAnHourOrOfTheFutureOrOfOthersDoesNotCount) {
    std::vector<Episode> history;
    for (const auto age : {10min, 20min, 30min, 40min, 61min}) {
        history.push_back(raised(kFault.id, facts_.wall - age));
    }
    history.push_back(raised(kFault.id, facts_.wall + 1min));
    history.push_back(raised(kFault.id + 1, facts_.wall - 1min));
    engine_.remember(history, facts_.wall, facts_.now);
    after(0s, "down");
    after(5s, "down");
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_FALSE(told_[0].episode.flapping);
}

TEST_F(EngineTest, WhatEndsDuringARepairThatWasNotAskedForIsHealed) {
    settings_.self_heal = false;
    after(0s, "down");
    after(5s, "down");
    engine_.heals(kFault.id);
    after(1s, "ready");
    after(10s, "ready");
    ASSERT_GE(told_.size(), 2U);
    EXPECT_EQ(told_[1].kind, Cleared);
    EXPECT_EQ(told_[1].episode.cleared_because, "healed");
}

TEST_F(EngineTest, AThousandFlipsEndAsOneFlappingFaultAndFewEvents) {
    settings_.timings[900] = {.raise_after = 0ms, .clear_after = 0ms, .quiet_after = 10min};
    for (int flip = 0; flip < 1000; ++flip) {
        after(60ms, flip % 2 == 0 ? "down" : "ready");
    }
    EXPECT_EQ(count(Raised), 6U);
    EXPECT_EQ(count(Cleared), 5U);
    ASSERT_EQ(engine_.open().size(), 1U);
    EXPECT_TRUE(engine_.open()[0].flapping);
    after(9min, "ready");
    EXPECT_EQ(engine_.open().size(), 1U);
    after(1min, "ready");
    EXPECT_TRUE(engine_.open().empty());
}

TEST_F(EngineTest, FlipsOfTheCauseAreBoundedToo) {
    after(0s, "down");
    after(5s, "down");
    for (int flip = 0; flip < 1000; ++flip) {
        after(60ms, flip % 2 == 0 ? "slow" : "down");
    }
    EXPECT_EQ(count(Updated), 20U);
    EXPECT_TRUE(engine_.open()[0].flapping);
}

TEST_F(EngineTest, AJumpOfTheWallClockRaisesAndClearsNothing) {
    after(0s, "down");
    facts_.wall += 24h;
    after(1s, "down");
    EXPECT_TRUE(told_.empty());
    after(4s, "down");
    EXPECT_EQ(told_.size(), 1U);
    after(1s, "ready");
    facts_.wall -= 48h;
    after(1s, "ready");
    EXPECT_EQ(told_.size(), 1U);
}

TEST_F(EngineTest, RepairsHaveABudgetAndAPauseThatGrows) {
    after(0s, "down");
    after(5s, "down");
    ASSERT_EQ(heals_.size(), 1U);
    EXPECT_EQ(heals_[0].action, Heal::RetryLoad);
    after(1h, "down");
    EXPECT_EQ(heals_.size(), 1U) << "the first attempt still runs";
    engine_.healed(900, "did not work", facts_.now);
    after(0s, "down");
    EXPECT_EQ(heals_.size(), 2U);
    engine_.healed(900, "did not work", facts_.now);
    after(19s, "down");
    EXPECT_EQ(heals_.size(), 2U);
    after(1s, "down");
    EXPECT_EQ(heals_.size(), 3U);
    engine_.healed(900, "did not work", facts_.now);
    after(10h, "down");
    EXPECT_EQ(heals_.size(), 3U);
    EXPECT_EQ(engine_.open()[0].heal_attempts, 3U);
    EXPECT_EQ(engine_.open()[0].heal_last_result, "did not work");
}

TEST_F(EngineTest, AFaultThatARepairTookAwayIsClearedAsHealed) {
    after(0s, "down");
    after(5s, "down");
    engine_.healed(900, "", facts_.now);
    after(0s, "ready");
    after(10s, "ready");
    ASSERT_EQ(told_.size(), 3U);
    EXPECT_EQ(told_[1].episode.cleared_because, "healed");
}

TEST_F(EngineTest, NothingIsRepairedWhenPolicySaysSo) {
    settings_.self_heal = false;
    after(0s, "down");
    after(1h, "down");
    EXPECT_TRUE(heals_.empty());
}

TEST_F(EngineTest, AReplacedJournalIsToldAgainWhatHolds) {
    after(0s, "down");
    after(5s, "down");
    const auto again = engine_.tell_again(facts_.wall);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].kind, Raised);
    EXPECT_TRUE(again[0].episode.recovered);
    EXPECT_EQ(again[0].episode.episode, told_[0].episode.episode);
}

Episode episode(int id, Severity severity) {
    return {.id = id, .key = "k", .severity = severity, .cause = "c"};
}

TEST(OverallState, IsWhatTheFaultsSay) {
    const auto now = BootTime{} + 1h;
    const auto state =
        [&](std::vector<Episode> open, std::vector<Engine::Doubt> doubts = {}, bool tested = true) {
            return overall_state(open, doubts, now, tested).state;
        };
    EXPECT_EQ(state({}), "protected");
    EXPECT_EQ(state({}, {}, false), "starting");
    EXPECT_EQ(state({episode(101, Severity::Minor)}), "protected");
    EXPECT_EQ(state({episode(5, Severity::Major)}), "degraded");
    EXPECT_EQ(state({episode(8, Severity::Major)}), "degraded");
    EXPECT_EQ(state({episode(8, Severity::Critical)}), "unprotected");
    EXPECT_EQ(state({episode(16, Severity::Critical)}), "unprotected");
    EXPECT_EQ(state({episode(5, Severity::Major), episode(7, Severity::Critical)}), "unprotected");
    EXPECT_EQ(state({episode(106, Severity::Critical)}), "unprotected");
    EXPECT_EQ(state({episode(110, Severity::Critical)}), "degraded");
    EXPECT_EQ(state({}, {{.id = 8, .why = "w", .since = now - 29s}}), "protected");
    EXPECT_EQ(state({}, {{.id = 8, .why = "w", .since = now - 30s}}), "unknown");
}

TEST(Catalogue, IsOrderedAndFindable) {
    int before = 0;
    for (const auto* fault : catalogue()) {
        EXPECT_LT(before, fault->id);
        before = fault->id;
        EXPECT_EQ(find_fault(fault->id), fault);
        EXPECT_EQ(find_fault(fault->key), fault);
    }
    EXPECT_EQ(find_fault(4), nullptr);
    EXPECT_EQ(find_fault("nope"), nullptr);
}

}  // namespace
}  // namespace vigia::health
