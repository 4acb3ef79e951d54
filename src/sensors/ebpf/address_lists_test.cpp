// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/address_lists.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace vigia::sensors {
namespace {

std::string text_of(const std::vector<ListEntry>& entries) {
    std::string text;
    for (const auto& entry : entries) {
        text += (entry.blocked ? '-' : '+') + to_text(entry.prefix) + ' ';
    }
    return text;
}

std::vector<IpPrefix> prefixes(std::initializer_list<const char*> texts) {
    std::vector<IpPrefix> all;
    for (const auto* text : texts) {
        all.push_back(*parse_prefix(text));
    }
    return all;
}

TEST(AddressLists, WhatIsAllowedIsTakenOutOfWhatIsBlocked) {
    EXPECT_EQ(text_of(merge({.allow = prefixes({"10.0.0.0/8", "10.1.0.0/16"}),
                             .block = prefixes({"10.2.3.0/24", "10.0.0.0/8", "11.0.0.1"})})),
              "+10.0.0.0/8 -11.0.0.1/32 ");
}

TEST(AddressLists, AnExceptionInsideOfABlockedPrefixStays) {
    EXPECT_EQ(text_of(merge({.allow = prefixes({"10.1.0.0/16"}),
                             .block = prefixes({"10.0.0.0/8", "10.0.0.0/8"})})),
              "-10.0.0.0/8 +10.1.0.0/16 ");
}

TEST(AddressLists, TheFamiliesDoNotCoverEachOther) {
    EXPECT_EQ(text_of(merge({.allow = prefixes({"::/0"}), .block = prefixes({"10.0.0.0/8"})})),
              "+::/0 -10.0.0.0/8 ");
}

TEST(AddressLists, TheMergedListDecidesAsTheTwoDo) {
    std::mt19937 random(7);
    const auto some = [&](int count) {
        std::vector<IpPrefix> all;
        all.reserve(static_cast<std::size_t>(count));
        for (int i = 0; i < count; ++i) {
            all.push_back(*parse_prefix("10.0." + std::to_string(random() % 8) + '.' +
                                        std::to_string(random() % 256) + '/' +
                                        std::to_string(24 + random() % 9)));
        }
        return all;
    };
    const AddressLists lists{.allow = some(20), .block = some(60)};
    const auto merged = merge(lists);
    const auto in = [](const std::vector<IpPrefix>& all, const IpAddress& address) {
        return std::ranges::any_of(all, [&](const auto& one) { return one.contains(address); });
    };
    int blocked = 0;
    for (int i = 0; i < 2048; ++i) {
        const auto address =
            *parse_address("10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256));
        const ListEntry* best = nullptr;
        for (const auto& entry : merged) {
            if (entry.prefix.contains(address) &&
                (best == nullptr || entry.prefix.bits > best->prefix.bits)) {
                best = &entry;
            }
        }
        const bool expected = in(lists.block, address) && !in(lists.allow, address);
        EXPECT_EQ(best != nullptr && best->blocked, expected) << to_text(address);
        blocked += expected ? 1 : 0;
    }
    EXPECT_GT(blocked, 0);
}

TEST(AddressTable, TheLongestPrefixDecidesAsInTheKernel) {
    const auto prefix = [](const char* text) { return *parse_prefix(text); };
    const AddressTable table(
        {.allow = {prefix("203.0.113.64/26"), prefix("2001:db8:1::/48")},
         .block = {prefix("203.0.113.0/24"), prefix("198.51.100.7"), prefix("2001:db8::/32")}});
    const auto blocked = [&](const char* text) { return table.is_blocked(*parse_address(text)); };
    EXPECT_TRUE(blocked("203.0.113.1"));
    EXPECT_TRUE(blocked("::ffff:203.0.113.1")) << "the same address";
    EXPECT_FALSE(blocked("203.0.113.65"));
    EXPECT_TRUE(blocked("198.51.100.7"));
    EXPECT_FALSE(blocked("198.51.100.8"));
    EXPECT_TRUE(blocked("2001:db8:2::1"));
    EXPECT_FALSE(blocked("2001:db8:1::1"));
    EXPECT_FALSE(AddressTable().is_blocked(*parse_address("203.0.113.1")));
}

}  // namespace
}  // namespace vigia::sensors
