// SPDX-License-Identifier: GPL-2.0-or-later
#include "overload/levels.h"

#include <gtest/gtest.h>

#include <vector>

namespace vigia::overload {
namespace {

using namespace std::chrono_literals;

class LevelsOverTime : public testing::Test {
protected:
    // Looks every half second for so long; what changed meanwhile.
    std::vector<Levels::Change> live(const Pressure& pressure, std::chrono::milliseconds time) {
        std::vector<Levels::Change> changes;
        for (const auto end = now_ + time; now_ < end; now_ += 500ms) {
            if (const auto change = levels_.look(pressure, limits_, now_)) {
                changes.push_back(*change);
            }
        }
        return changes;
    }

    const Policy::Overload limits_{.reduce_percent = 50,
                                   .critical_percent = 90,
                                   .reduce_events = 1000,
                                   .critical_events = 3000,
                                   .scan_delay = 60s,
                                   .cpu_percent = 40,
                                   .rise_after = 2s,
                                   .calm_after = 10s};
    Levels levels_;
    BootTime now_ = BootTime{} + 1h;
};

TEST_F(LevelsOverTime, NothingHappensWhileNothingIsTooMuch) {
    EXPECT_TRUE(
        live({.ring = 0.4, .queue = 0.49, .events_per_second = 900, .cpu = 0.3}, 1h).empty());
    EXPECT_EQ(levels_.level(), 0U);
    EXPECT_TRUE(levels_.is_calm());
}

TEST_F(LevelsOverTime, EachGaugeRaisesByOneAfterItHasLasted) {
    struct Case {
        Pressure pressure;
        std::string_view gauge;
        unsigned level;
    };

    for (const auto& [pressure, gauge, level] :
         {Case{.pressure = {.ring = 0.5}, .gauge = "ring", .level = 1},
          Case{.pressure = {.ring = 0.9}, .gauge = "ring", .level = 2},
          Case{.pressure = {.queue = 0.6}, .gauge = "queue", .level = 1},
          Case{.pressure = {.queue = 1}, .gauge = "queue", .level = 2},
          Case{.pressure = {.events_per_second = 1000}, .gauge = "events", .level = 1},
          Case{.pressure = {.events_per_second = 5000}, .gauge = "events", .level = 2},
          Case{.pressure = {.oldest_scan = 61s}, .gauge = "scan-delay", .level = 1},
          Case{.pressure = {.oldest_scan = 181s}, .gauge = "scan-delay", .level = 2},
          Case{.pressure = {.cpu = 0.4}, .gauge = "cpu", .level = 1},
          Case{.pressure = {.cpu = 0.8, .stalled = 0.9}, .gauge = "cpu", .level = 2}}) {
        levels_ = {};
        EXPECT_TRUE(live(pressure, 2s).empty()) << gauge;
        EXPECT_FALSE(levels_.is_calm()) << gauge;
        const auto changes = live(pressure, 10s);
        ASSERT_EQ(changes.size(), level) << gauge;
        EXPECT_EQ(changes.front().to, 1U);
        EXPECT_EQ(changes.back().to, level);
        EXPECT_EQ(changes.back().why.gauge, gauge);
    }
}

TEST_F(LevelsOverTime, ABurstThatIsOverBeforeItHasLastedRaisesNothing) {
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(live({.ring = 1}, 1500ms).empty());
        EXPECT_TRUE(live({}, 500ms).empty());
    }
}

TEST_F(LevelsOverTime, WhatIsLostRaisesAtOnceAndWhatIsLostThenRaisesAgain) {
    auto change = levels_.look({.overflows = 1}, limits_, now_);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->to, 1U);
    EXPECT_EQ(change->why.gauge, "overflow");
    EXPECT_FALSE(levels_.look({.overflows = 1}, limits_, now_ + 500ms));
    now_ += 3s;
    const auto changes = live({.lost = 7}, 3s);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes.front().to, 2U);
    EXPECT_EQ(changes.front().why.gauge, "lost");
    EXPECT_EQ(changes.front().why.measured, 7);
}

TEST_F(LevelsOverTime, ProcessorTimeThatNobodyMissesIsNoPressure) {
    EXPECT_TRUE(live({.cpu = 1, .stalled = 0.1}, 1min).empty());
    EXPECT_EQ(live({.cpu = 0.5, .stalled = 0.5}, 1min).size(), 1U);
}

TEST_F(LevelsOverTime, CalmLowersByOneAtATime) {
    live({.ring = 1}, 10s);
    ASSERT_EQ(levels_.level(), 2U);
    EXPECT_TRUE(live({}, 10s).empty());
    auto changes = live({}, 1s);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes.front().to, 1U);
    EXPECT_EQ(changes.front().why.gauge, "calm");
    changes = live({}, 10s);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes.front().to, 0U);
    EXPECT_TRUE(levels_.is_calm());
}

TEST_F(LevelsOverTime, MoreThanHalfOfTheLimitIsNotCalm) {
    live({.queue = 0.6}, 3s);
    ASSERT_EQ(levels_.level(), 1U);
    EXPECT_TRUE(live({.queue = 0.3}, 10min).empty());
    EXPECT_EQ(live({.queue = 0.2}, 11s).size(), 1U);
}

TEST_F(LevelsOverTime, AStormWhoseEventsAreFilteredIsNotOver) {
    // At level 1 the ring is empty, because the kernel leaves out what filled it.
    live({.ring = 0.6, .events_per_second = 800}, 3s);
    ASSERT_EQ(levels_.level(), 1U);
    EXPECT_TRUE(live({.events_per_second = 800}, 10min).empty());
    EXPECT_TRUE(live({.events_per_second = 450}, 10min).empty());
    EXPECT_EQ(live({.events_per_second = 390}, 11s).size(), 1U);
}

TEST_F(LevelsOverTime, AStormThatComesAndGoesEveryFewSecondsChangesTheLevelOnce) {
    std::vector<Levels::Change> changes;
    for (int i = 0; i < 100; ++i) {
        const auto storm = live({.events_per_second = 2000}, 4s);
        changes.insert(changes.end(), storm.begin(), storm.end());
        const auto pause = live({}, 4s);
        changes.insert(changes.end(), pause.begin(), pause.end());
    }
    EXPECT_EQ(changes.size(), 1U);
}

TEST_F(LevelsOverTime, AStormThatComesBackHasToBeAwayForLonger) {
    std::size_t changes = 0;
    for (int i = 0; i < 60; ++i) {  // an hour: 30 seconds of it, 30 seconds without
        changes += live({.events_per_second = 2000}, 30s).size();
        changes += live({}, 30s).size();
    }
    // Up and down twice at 10 and 20 s; 40 s of calm never come.
    EXPECT_EQ(changes, 5U);
    EXPECT_EQ(live({}, 2min).size(), 1U);
    // What comes hours later is a new one.
    live({}, 2h);
    EXPECT_EQ(live({.events_per_second = 2000}, 3s).size(), 1U);
    EXPECT_EQ(live({}, 11s).size(), 1U);
}

TEST(Modes, HaveTheWordsOfTheStatus) {
    EXPECT_EQ(mode_of(0), "full");
    EXPECT_EQ(mode_of(1), "reduced");
    EXPECT_EQ(mode_of(2), "critical-only");
}

}  // namespace
}  // namespace vigia::overload
