// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/flow.h"

namespace vigia::policy {

// What a feed file says: one network or address on a line, "until=2027-01-01" behind it if it ends
// when that day begins (UTC), "#" before a comment.
struct AddressFeed {
    std::vector<IpPrefix> prefixes = {};  // in force at `now`
    std::size_t expired = 0;
    std::optional<WallTime> next_expiry = {};  // when the first of `prefixes` ends

    struct BadLine {
        std::size_t line = 0;  // from 1
        std::string text;      // printable, at most 80 bytes of it
        std::string why;
    };

    std::size_t bad = 0;
    std::vector<BadLine> bad_lines = {};  // the first kMostBadLines of them

    static constexpr std::size_t kMostBadLines = 20;
};

// Total: a line that is not understood is told of and left out, the rest is taken. Pure.
[[nodiscard]] AddressFeed parse_address_feed(std::string_view text, WallTime now);

}  // namespace vigia::policy
