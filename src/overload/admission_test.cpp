// SPDX-License-Identifier: GPL-2.0-or-later
#include "overload/admission.h"

#include <gtest/gtest.h>

namespace vigia::overload {
namespace {

TEST(Admission, NothingWaitsWithoutOverload) {
    EXPECT_FALSE(can_wait(0, {.bulk = true, .still_written = true, .fill = 1}));
}

TEST(Admission, WhatNothingRunsWaitsFromLevelOne) {
    EXPECT_TRUE(can_wait(1, {.bulk = true}));
    EXPECT_TRUE(can_wait(2, {.bulk = true}));
}

TEST(Admission, WhatCanRunDoesNotWait) {
    EXPECT_FALSE(can_wait(1, {.still_written = true, .fill = 0.9}));
    EXPECT_FALSE(can_wait(2, {.fill = 0.4}));
}

TEST(Admission, AtLevelTwoWhatCanRunWaitsWhileItIsWrittenOrTheStormItself) {
    EXPECT_TRUE(can_wait(2, {.still_written = true}));
    EXPECT_TRUE(can_wait(2, {.fill = 0.5}));
}

TEST(Admission, AFolderThatMovedInIsWalkedAtEveryLevel) {
    EXPECT_FALSE(can_wait(2, {.bulk = true, .folder = true, .fill = 1}));
}

}  // namespace
}  // namespace vigia::overload
