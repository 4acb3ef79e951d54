// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/pace.h"

#include <gtest/gtest.h>

namespace vigia::scan::detail {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr std::uint32_t kQuarter = 250;

class PaceOfAWorker : public testing::Test {
protected:
    // One file of which each Standing gets its share of the processor, 1 ms of it in all.
    Standing scan(Haste haste, double share_low, double share_normal) {
        const auto standing = pace_.begin(haste, kQuarter, now_);
        const double share = standing == Standing::Normal ? share_normal : share_low;
        const nanoseconds cpu = 1ms;
        const nanoseconds wall{static_cast<std::int64_t>(1e6 / share)};
        now_.wall += wall;
        now_.cpu += cpu;
        pace_.end(now_);
        return standing;
    }

    // The share of a processor that files get which follow each other without a pause.
    double share_over(nanoseconds time, Haste haste, double share_low, double share_normal) {
        const auto begun = now_;
        while (now_.wall - begun.wall < time) {
            (void)scan(haste, share_low, share_normal);
        }
        return std::chrono::duration<double>(now_.cpu - begun.cpu) / (now_.wall - begun.wall);
    }

    Pace pace_;
    Pace::Instant now_;
};

TEST_F(PaceOfAWorker, WhoIsWaitedForRunsAsEverybody) {
    EXPECT_EQ(scan(Haste::Asked, 0.5, 0.5), Standing::Normal);
    EXPECT_EQ(scan(Haste::Prompt, 0.5, 0.5), Standing::Low);
    EXPECT_EQ(scan(Haste::Background, 0.5, 0.5), Standing::Idle);
}

TEST_F(PaceOfAWorker, WhatNobodyElseWantsIsTakenBeyondTheBudget) {
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_EQ(scan(Haste::Background, 1, 1), Standing::Idle);
    }
}

TEST_F(PaceOfAWorker, UnderLoadOfOthersItGetsItsBudgetInTheLongRunAndNotMore) {
    EXPECT_NEAR(share_over(100s, Haste::Background, 0.01, 0.5), 0.25, 0.02);
}

TEST_F(PaceOfAWorker, IdleTimeBeforeALoadIsNoReasonToStarveForLong) {
    (void)share_over(100s, Haste::Background, 1, 1);
    EXPECT_NEAR(share_over(100s, Haste::Background, 0.01, 0.5), 0.25, 0.03);
}

TEST_F(PaceOfAWorker, WhereEqualTreatmentIsLessThanTheBudgetItIsTreatedEqually) {
    EXPECT_NEAR(share_over(100s, Haste::Background, 0.001, 0.1), 0.1, 0.02);
}

TEST_F(PaceOfAWorker, AFileThatGetsNothingIsOwedItsShareAfterItsPatience) {
    EXPECT_EQ(pace_.begin(Haste::Background, kQuarter, now_), Standing::Idle);
    const auto patience = pace_.patience();
    EXPECT_GE(patience, 200ms);
    EXPECT_LE(patience, 210ms);
    now_.wall += patience;
    pace_.end(now_);
    EXPECT_EQ(pace_.begin(Haste::Background, kQuarter, now_), Standing::Normal);
}

TEST_F(PaceOfAWorker, PatienceEndsWhateverTheBudgetAndWhateverWasTakenBefore) {
    (void)share_over(100s, Haste::Background, 1, 1);
    EXPECT_EQ(pace_.begin(Haste::Background, kQuarter, now_), Standing::Idle);
    EXPECT_LE(pace_.patience(), 1300ms);
    EXPECT_EQ(Pace{}.begin(Haste::Background, 0, {}), Standing::Idle);
    Pace nothing;
    (void)nothing.begin(Haste::Background, 0, {});
    EXPECT_LE(nothing.patience(), 300ms);
}

TEST_F(PaceOfAWorker, WhatWasAskedForIsNoPartOfTheAccount) {
    for (int i = 0; i < 10'000; ++i) {
        (void)scan(Haste::Asked, 1, 0.001);
    }
    EXPECT_EQ(scan(Haste::Background, 0.5, 0.5), Standing::Idle);
}

}  // namespace
}  // namespace vigia::scan::detail
