// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/stall.h"

#include <gtest/gtest.h>

namespace vigia::host {
namespace {

TEST(Stall, IsReadFromTheLineOfSome) {
    const auto share = parse_stall(
        "some avg10=12.50 avg60=97.46 avg300=65.94 total=16495582236\n"
        "full avg10=99.00 avg60=0.00 avg300=0.00 total=0\n");
    ASSERT_TRUE(share);
    EXPECT_DOUBLE_EQ(*share, 0.125);
}

TEST(Stall, WhatIsNoSuchFileSaysNothing) {
    for (const auto* text : {"",
                             "some",
                             "some avg10=",
                             "some avg10=x",
                             "full avg10=1.0\n",
                             "awesome avg10=1.0",
                             "some avg10=-1"}) {
        EXPECT_FALSE(parse_stall(text)) << text;
    }
}

TEST(Stall, IsNeverMoreThanAll) {
    EXPECT_EQ(parse_stall("some avg10=250.00 avg60=1"), 1.0);
}

}  // namespace
}  // namespace vigia::host
