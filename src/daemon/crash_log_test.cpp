// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/crash_log.h"

#include <gtest/gtest.h>

namespace vigia::daemon {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kWall{1'800'000'000s};
constexpr BootTime kBoot{5000s};

Facts::Crash crash(BootTime at, WallTime wall) {
    return {.at = at,
            .wall = wall,
            .how = "signal 11 (Segmentation fault)",
            .path = "/a \xff b",
            .sha256 = Sha256{},
            .size = 12};
}

TEST(CrashLog, WhatWasNotedIsThereAfterARestart) {
    CrashLog before("this boot");
    (void)before.note(crash(kBoot - 20s, kWall - 20s));
    const auto record = before.note(crash(kBoot - 10s, kWall - 10s));

    CrashLog after("this boot");
    // The wall clock has been moved by a day meanwhile; it is not asked.
    after.restore(record, kWall + 24h, kBoot);
    const auto list = after.list();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].at, kBoot - 20s);
    EXPECT_EQ(list[1].at, kBoot - 10s);
    EXPECT_EQ(list[1].how, "signal 11 (Segmentation fault)");
    EXPECT_EQ(list[1].size, 12U);
    EXPECT_EQ(list[1].sha256, Sha256{});
}

TEST(CrashLog, AfterAnotherBootAgesAreThoseOfTheWallClock) {
    CrashLog before("that boot");
    const auto record = before.note(crash(kBoot + 900s, kWall - 30s));
    CrashLog after("this boot");
    after.restore(record, kWall, kBoot);
    ASSERT_EQ(after.list().size(), 1U);
    EXPECT_EQ(after.list()[0].at, kBoot - 30s);
}

TEST(CrashLog, OfManyTheNewestFiftyAreDurable) {
    CrashLog before("boot");
    std::string record;
    for (int i = 0; i < 300; ++i) {
        record = before.note(crash(kBoot + std::chrono::seconds{i}, kWall));
    }
    EXPECT_EQ(before.list().size(), 200U);
    CrashLog after("boot");
    after.restore(record, kWall, kBoot + 1h);
    ASSERT_EQ(after.list().size(), 50U);
    EXPECT_EQ(after.list().front().at, kBoot + 250s);
}

TEST(CrashLog, ARecordThatIsNoneIsNone) {
    CrashLog log("boot");
    for (const char* odd :
         {"", "[]", "{", R"({"crashes":7})", R"({"crashes":[1,{"at":"x"},{}]})"}) {
        log.restore(odd, kWall, kBoot);
    }
    EXPECT_TRUE(log.list().empty());
}

}  // namespace
}  // namespace vigia::daemon
