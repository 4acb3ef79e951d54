// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/spool.h"

#include <gtest/gtest.h>

namespace vigia::journal {
namespace {

Change change_of(Severity severity, int count = 1) {
    Change change;
    for (int at = 0; at < count; ++at) {
        change.events.push_back({.severity = severity, .message = "m", .body = ServiceBody{}});
    }
    return change;
}

std::size_t held_of(const Spool& spool, Severity severity) {
    std::size_t count = 0;
    for (const auto* change : spool.oldest(1'000'000)) {
        for (const auto& event : change->events) {
            count += event.severity == severity ? 1 : 0;
        }
    }
    return count;
}

TEST(Spool, GivesBackInOrderAndInPieces) {
    Spool spool(100);
    spool.hold(change_of(Severity::Minor, 3));
    spool.hold(change_of(Severity::Major, 3));
    spool.hold(change_of(Severity::Critical, 3));
    EXPECT_EQ(spool.events(), 9U);
    EXPECT_EQ(spool.oldest(1).size(), 1U) << "at least one, however large";
    EXPECT_EQ(spool.oldest(6).size(), 2U);
    EXPECT_EQ(spool.oldest(6)[0]->events[0].severity, Severity::Minor);
    spool.written(2);
    EXPECT_EQ(spool.events(), 3U);
    EXPECT_EQ(spool.oldest(6)[0]->events[0].severity, Severity::Critical);
    spool.written(1);
    EXPECT_TRUE(spool.empty());
}

TEST(Spool, GivesUpTheOldestOfTheLowestSeverityAndCountsThem) {
    Spool spool(100);
    Change found = change_of(Severity::Informational);
    found.events[0].body = DetectionBody{};
    spool.hold(found);
    for (int at = 0; at < 50; ++at) {
        spool.hold(change_of(Severity::Informational));
        spool.hold(change_of(Severity::Critical));
    }
    EXPECT_LE(spool.events(), 100U);
    EXPECT_EQ(held_of(spool, Severity::Critical), 50U);
    EXPECT_EQ(spool.lost(), 101 - spool.events());
    ASSERT_EQ(spool.dropped().size(), 1U) << "the detection, though informational, stays";
    EXPECT_EQ(spool.dropped().at(6002), spool.lost());
    const auto lost = spool.lost();
    spool.clear_dropped();
    EXPECT_TRUE(spool.dropped().empty());
    EXPECT_EQ(spool.lost(), lost);
}

TEST(Spool, HoldsFactsAndValuesButNoIntents) {
    Spool spool(10);
    Change intent;
    intent.quarantine.resize(2);
    intent.quarantine[0].state = QuarantineState::Storing;
    intent.quarantine[1].state = QuarantineState::Removing;
    spool.hold(intent);
    EXPECT_TRUE(spool.empty());
    intent.quarantine[0].state = QuarantineState::Quarantined;
    spool.hold(intent);
    ASSERT_EQ(spool.oldest(1).size(), 1U);
    EXPECT_EQ(spool.oldest(1)[0]->quarantine.size(), 1U);
}

TEST(Spool, KeepsTheNewestOfEachValueHoweverManyChangesCome) {
    Spool spool(10);
    for (int at = 0; at < 1000; ++at) {
        Change change;
        change.values["counter"] = std::to_string(at);
        change.values["key" + std::to_string(at % 3)] = std::to_string(at);
        spool.hold(change);
    }
    const auto held = spool.oldest(1000);
    EXPECT_LE(held.size(), 10U);
    std::map<std::string, std::string> values;
    for (const auto* change : held) {
        for (const auto& [key, value] : change->values) {
            values[key] = value;
        }
    }
    EXPECT_EQ(values.at("counter"), "999");
    EXPECT_EQ(values.size(), 4U);
}

TEST(Spool, KnowsWhenTheFirstAndTheLastThatWentHappened) {
    using namespace std::chrono_literals;
    Spool spool(10);
    EXPECT_FALSE(spool.dropped_first().has_value());
    for (int at = 0; at < 12; ++at) {
        auto change = change_of(Severity::Minor);
        change.events[0].time = WallTime{std::chrono::seconds{100 + at}};
        spool.hold(std::move(change));
    }
    ASSERT_GT(spool.lost(), 0U);
    EXPECT_EQ(spool.dropped_first(), WallTime{100s});
    EXPECT_EQ(spool.dropped_last(),
              WallTime{std::chrono::seconds{100 + static_cast<int>(spool.lost()) - 1}});
    spool.clear_dropped();
    EXPECT_FALSE(spool.dropped_last().has_value());
}

}  // namespace
}  // namespace vigia::journal
