// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/address_feed.h"

#include <gtest/gtest.h>

namespace vigia::policy {
namespace {

WallTime day(int year, unsigned month, unsigned number) {
    return WallTime{std::chrono::sys_days{std::chrono::year{year} / static_cast<int>(month) /
                                          static_cast<int>(number)}};
}

std::vector<std::string> texts(const AddressFeed& feed) {
    std::vector<std::string> all;
    all.reserve(feed.prefixes.size());
    for (const auto& prefix : feed.prefixes) {
        all.push_back(to_text(prefix));
    }
    return all;
}

TEST(AddressFeed, TakesNetworksAndAddressesAndLeavesCommentsOut) {
    const auto feed = parse_address_feed(
        "# a list\n\n203.0.113.0/24\r\n  198.51.100.7\t# one\n2001:db8::/32", day(2026, 11, 25));
    EXPECT_EQ(texts(feed),
              (std::vector<std::string>{to_text(*parse_prefix("203.0.113.0/24")),
                                        to_text(*parse_prefix("198.51.100.7")),
                                        to_text(*parse_prefix("2001:db8::/32"))}));
    EXPECT_EQ(feed.bad, 0U);
}

TEST(AddressFeed, NamesEachBadLineAndTakesTheRest) {
    const auto feed = parse_address_feed(
        "203.0.113.0/24\n300.1.1.1\n10.0.0.0/8 until=never\nexample.org # no "
        "name\n::/0\n\x1b[2J\n0.0.0.0/0\n"
        "198.51.100.0/24\n",
        day(2026, 11, 25));
    EXPECT_EQ(feed.prefixes.size(), 2U);
    ASSERT_EQ(feed.bad_lines.size(), 6U);
    EXPECT_EQ(feed.bad_lines[0].line, 2U);
    EXPECT_EQ(feed.bad_lines[0].text, "300.1.1.1");
    EXPECT_EQ(feed.bad_lines[1].line, 3U);
    EXPECT_NE(feed.bad_lines[1].why.find("until="), std::string::npos);
    EXPECT_EQ(feed.bad_lines[3].why, "every address there is");
    EXPECT_EQ(feed.bad_lines[4].text, "\\x1b[2J") << "harmless on a terminal";
}

TEST(AddressFeed, WhatHasEndedIsLeftOutAndTheNextEndIsKnown) {
    const auto* text =
        "203.0.113.1 until=2026-11-25\n203.0.113.2 until=2026-11-27\n"
        "203.0.113.3 until=2026-11-26\n203.0.113.4\n";
    const auto feed = parse_address_feed(text, day(2026, 11, 25));
    EXPECT_EQ(feed.expired, 1U);
    EXPECT_EQ(feed.prefixes.size(), 3U);
    EXPECT_EQ(feed.next_expiry, day(2026, 11, 26));
    EXPECT_EQ(parse_address_feed(text, day(2026, 11, 26)).prefixes.size(), 2U);
}

TEST(AddressFeed, OnlyTheFirstBadLinesAreKeptAndAllAreCounted) {
    std::string text;
    for (int i = 0; i < 100; ++i) {
        text += "bad\n";
    }
    const auto feed = parse_address_feed(text, day(2026, 11, 25));
    EXPECT_EQ(feed.bad, 100U);
    EXPECT_EQ(feed.bad_lines.size(), AddressFeed::kMostBadLines);
}

}  // namespace
}  // namespace vigia::policy
