// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/flow.h"

#include <gtest/gtest.h>

namespace vigia {
namespace {

TEST(IpAddress, TheTwoFormsOfAnIpv4AddressAreOne) {
    EXPECT_EQ(parse_address("192.0.2.1"), parse_address("::ffff:192.0.2.1"));
    EXPECT_EQ(to_text(*parse_address("::ffff:192.0.2.1")), "192.0.2.1");
    EXPECT_EQ(to_text(*parse_address("2001:DB8::1")), "2001:db8::1");
}

TEST(IpAddress, LoopbackIsAllOf127AndOneAddressOfIpv6) {
    EXPECT_TRUE(parse_address("127.9.9.9")->is_loopback());
    EXPECT_TRUE(parse_address("::1")->is_loopback());
    EXPECT_FALSE(parse_address("128.0.0.1")->is_loopback());
    EXPECT_FALSE(parse_address("::2")->is_loopback());
}

TEST(IpAddress, WhatIsNoAddressIsNone) {
    for (const auto* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", ":::", "g::1", "1.2.3.4 "}) {
        EXPECT_FALSE(parse_address(text)) << text;
    }
    EXPECT_FALSE(parse_address(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpPrefix, HostBitsAreCleared) {
    EXPECT_EQ(to_text(*parse_prefix("192.0.2.77/25")), "192.0.2.0/25");
    EXPECT_EQ(to_text(*parse_prefix("2001:db8:1:2::3/33")), "2001:db8::/33");
    EXPECT_EQ(to_text(*parse_prefix("10.0.0.0/0")), "0.0.0.0/0");
    EXPECT_EQ(parse_prefix("192.0.2.1")->bits, 128);
}

TEST(IpPrefix, ContainsWhatSharesItsBits) {
    const auto prefix = parse_prefix("10.32.0.0/11");
    EXPECT_TRUE(prefix->contains(*parse_address("10.63.255.255")));
    EXPECT_FALSE(prefix->contains(*parse_address("10.64.0.0")));
    EXPECT_TRUE(parse_prefix("0.0.0.0/0")->contains(*parse_address("203.0.113.5")));
    EXPECT_FALSE(parse_prefix("::/0")->contains(*parse_address("203.0.113.5")));
    EXPECT_TRUE(parse_prefix("::/0")->contains(*parse_address("2001:db8::1")));
}

TEST(IpPrefix, WhatIsNoPrefixIsNone) {
    for (const auto* text : {"/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/8x", "a/8"}) {
        EXPECT_FALSE(parse_prefix(text)) << text;
    }
}

}  // namespace
}  // namespace vigia
