// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/address_feed.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace vigia::policy {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kUntil = "until=";
constexpr std::size_t kShown = 80;

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

template <typename T>
std::optional<T> number(std::string_view digits) {
    T value{};
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = parsed.ptr == digits.data() + digits.size();
    return parsed.ec == std::errc{} && whole ? std::optional(value) : std::nullopt;
}

// "2027-01-01"
std::optional<WallTime> parse_day(std::string_view text) {
    constexpr std::size_t kLength = 10;
    if (text.size() != kLength || text[4] != '-' || text[7] != '-') {
        return std::nullopt;
    }
    const auto year = number<int>(text.substr(0, 4));
    const auto month = number<unsigned>(text.substr(5, 2));
    const auto day = number<unsigned>(text.substr(8, 2));
    if (!year || !month || !day) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{
        std::chrono::year{*year}, std::chrono::month{*month}, std::chrono::day{*day}};
    return date.ok() ? std::optional(WallTime{std::chrono::sys_days{date}}) : std::nullopt;
}

struct Line {
    IpPrefix prefix = {};
    std::optional<WallTime> until = {};
    std::string why = {};  // not empty: it is not understood
};

Line read_line(std::string_view text) {
    Line line;
    const auto gap = text.find_first_of(kBlanks);
    const auto prefix = parse_prefix(text.substr(0, gap));
    if (!prefix) {
        line.why = "no network and no address";
        return line;
    }
    line.prefix = *prefix;
    constexpr unsigned kAllOfIpv4 = 96;
    if (line.prefix.bits == 0 || (line.prefix.bits == kAllOfIpv4 && line.prefix.address.is_v4())) {
        line.why = "every address there is";
        return line;
    }
    const auto rest = gap == std::string_view::npos ? "" : trimmed(text.substr(gap));
    if (rest.empty()) {
        return line;
    }
    if (rest.starts_with(kUntil)) {
        line.until = parse_day(rest.substr(kUntil.size()));
    }
    if (!line.until) {
        line.why = "expected until=YYYY-MM-DD behind the network";
    }
    return line;
}

}  // namespace

AddressFeed parse_address_feed(std::string_view text, WallTime now) {
    AddressFeed feed;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto whole = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto content = trimmed(whole.substr(0, whole.find('#')));
        if (content.empty()) {
            continue;
        }
        auto line = read_line(content);
        if (!line.why.empty()) {
            ++feed.bad;
            if (feed.bad_lines.size() < AddressFeed::kMostBadLines) {
                feed.bad_lines.push_back({.line = number,
                                          .text = printable(content.substr(0, kShown)),
                                          .why = std::move(line.why)});
            }
        } else if (line.until && *line.until <= now) {
            ++feed.expired;
        } else {
            feed.prefixes.push_back(line.prefix);
            if (line.until) {
                feed.next_expiry = std::min(feed.next_expiry.value_or(*line.until), *line.until);
            }
        }
    }
    return feed;
}

}  // namespace vigia::policy
