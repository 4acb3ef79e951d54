// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <regex>
#include <span>
#include <utility>

#include "base/text.h"
#include "policy/nearest.h"

namespace vigia::policy {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array kDurations{
    Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000}, Unit{"ms", 1}};

constexpr std::array kSizes{Unit{"TiB", 1ULL << 40U},
                            Unit{"TB", 1'000'000'000'000},
                            Unit{"GiB", 1ULL << 30U},
                            Unit{"GB", 1'000'000'000},
                            Unit{"MiB", 1ULL << 20U},
                            Unit{"MB", 1'000'000},
                            Unit{"KiB", 1ULL << 10U},
                            Unit{"KB", 1000},
                            Unit{"B", 1}};

constexpr std::size_t kMaxRegexBytes = 256;
constexpr std::size_t kMaxWordBytes = 256;
constexpr std::size_t kMaxLabelBytes = 128;
constexpr std::size_t kMaxExtensionBytes = 32;

std::unexpected<Complaint> refuse(std::string message, std::string suggestion = {}) {
    return std::unexpected(
        Complaint{.message = std::move(message), .suggestion = std::move(suggestion)});
}

// Splits "100MiB" into the number and the rest. Nothing: no number, or one beyond 64 bits.
std::optional<std::pair<std::uint64_t, std::string_view>> leading_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto* const end = text.data() + text.size();
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): its end is given
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    return std::pair{number, text.substr(static_cast<std::size_t>(stopped - text.data()))};
}

std::optional<std::uint64_t> times(std::uint64_t number, std::uint64_t factor) {
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
        return std::nullopt;
    }
    return number * factor;
}

// The unit's factor; an empty unit is `bare`.
std::optional<std::uint64_t> factor_of(std::string_view name, std::span<const Unit> units) {
    const auto found = std::ranges::find(units, name, &Unit::name);
    return found == units.end() ? std::nullopt : std::optional(found->factor);
}

std::string unit_text(std::uint64_t value, std::span<const Unit> units) {
    if (value == 0) {
        return fmt::format("0{}", units.back().name);
    }
    const auto whole =
        std::ranges::find_if(units, [&](const Unit& unit) { return value % unit.factor == 0; });
    return fmt::format("{}{}", value / whole->factor, whole->name);
}

// Nothing that a terminal would obey. A backslash is ordinary text ("DOMAIN\\user").
bool is_printable_text(std::string_view text) {
    std::string plain(text);
    std::erase(plain, '\\');
    return printable(plain) == plain;
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_time_of_day(std::string_view text) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    return text.size() == 5 && digit(0) && digit(1) && text[2] == ':' && digit(3) && digit(4) &&
           text.substr(0, 2) < "24" && text.substr(3) < "60";
}

}  // namespace

Parsed<std::chrono::milliseconds> parse_duration(std::string_view text) {
    constexpr std::string_view kExpected =
        "expected a duration such as \"500ms\", \"2s\", \"10m\", "
        "\"1h\" or \"3d\"";
    const auto parts = leading_number(text);
    if (!parts) {
        return refuse(fmt::format("{}, found '{}'", kExpected, printable(text)));
    }
    const auto& [number, unit] = *parts;
    const auto factor = factor_of(unit, kDurations);
    if (!factor) {
        return refuse(fmt::format("{}, found '{}'", kExpected, printable(text)),
                      unit.empty() ? fmt::format("{}s", number) : std::string{});
    }
    const auto milliseconds = times(number, *factor);
    if (!milliseconds) {
        return refuse(fmt::format("'{}' is out of range", printable(text)));
    }
    return std::chrono::milliseconds{*milliseconds};
}

std::string duration_text(std::chrono::milliseconds duration) {
    return unit_text(static_cast<std::uint64_t>(duration.count()), kDurations);
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
    constexpr std::string_view kExpected =
        R"(expected a size such as "4096", "64KiB", "100MiB" or "1GB")";
    const auto parts = leading_number(text);
    if (!parts) {
        return refuse(fmt::format("{}, found '{}'", kExpected, printable(text)));
    }
    const auto& [number, unit] = *parts;
    const auto factor = unit.empty() ? std::optional<std::uint64_t>{1} : factor_of(unit, kSizes);
    if (!factor) {
        constexpr std::array<std::string_view, 5> kShort{"k", "m", "g", "t", "b"};
        constexpr std::array<std::string_view, 5> kLong{"KiB", "MiB", "GiB", "TiB", "B"};
        const auto near = std::ranges::find(kShort, std::string(1, lower(unit.front())));
        const auto at = static_cast<std::size_t>(near - kShort.begin());
        return refuse(
            fmt::format("{}, found '{}'", kExpected, printable(text)),
            near == kShort.end() ? std::string{} : fmt::format("{}{}", number, kLong.at(at)));
    }
    const auto bytes = times(number, *factor);
    if (!bytes) {
        return refuse(fmt::format("'{}' is out of range", printable(text)));
    }
    return *bytes;
}

std::string size_text(std::uint64_t bytes) {
    return unit_text(bytes, kSizes);
}

Parsed<unsigned> parse_percent(std::string_view text) {
    const auto parts = leading_number(text);
    if (!parts || (parts->second != "%" && !parts->second.empty())) {
        return refuse(
            fmt::format("expected a percentage such as \"25%\", found '{}'", printable(text)));
    }
    if (parts->first < 1 || parts->first > 100) {
        return refuse(fmt::format("'{}' is out of range: 1% to 100%", printable(text)));
    }
    if (parts->second.empty()) {
        return refuse(fmt::format("'{}' has no %", text), fmt::format("{}%", parts->first));
    }
    return static_cast<unsigned>(parts->first);
}

Parsed<std::string> parse_extension(std::string_view text) {
    const auto bare = text.starts_with('.') ? text.substr(1) : text;
    if (bare.empty() || bare.size() > kMaxExtensionBytes || bare.contains('/') ||
        !is_printable_text(bare)) {
        return refuse(
            fmt::format("expected a file extension such as \"iso\" (1 to {} bytes), found '{}'",
                        kMaxExtensionBytes,
                        printable(text)));
    }
    if (const auto dot = bare.rfind('.'); dot != std::string_view::npos) {
        return refuse(
            fmt::format("'{}' can never match: an extension is what follows the last dot", text),
            std::string(bare.substr(dot + 1)));
    }
    std::string result(bare);
    std::ranges::transform(result, result.begin(), lower);
    return result;
}

Parsed<std::string> parse_threat(std::string_view text) {
    constexpr std::string_view kUnsigned = ".UNOFFICIAL";
    if (text.ends_with(kUnsigned)) {
        text.remove_suffix(kUnsigned.size());
    }
    return parse_word(text);
}

Parsed<std::string> parse_regex(std::string_view text) {
    if (text.empty()) {
        return refuse("an empty expression would match everywhere");
    }
    // std::regex compiles by recursion and keeps a state for each byte: bounded by this length.
    if (text.size() > kMaxRegexBytes) {
        return refuse(fmt::format(
            "{} bytes; a regular expression has at most {}", text.size(), kMaxRegexBytes));
    }
    try {
        const std::regex compiled(text.begin(), text.end(), std::regex::ECMAScript);
        if (std::regex_match("", compiled)) {
            return refuse("this expression matches the empty text, so it would redact everywhere");
        }
    } catch (const std::regex_error& error) {
        return refuse(fmt::format("not a regular expression: {}", error.what()));
    }
    return std::string(text);
}

Parsed<std::string> parse_schedule(std::string_view text) {
    static constexpr std::array<std::string_view, 7> kDays{
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
    const auto wrong = [&](std::string suggestion = {}) {
        return refuse(
            fmt::format("expected \"daily HH:MM\", \"weekly DAY HH:MM\" or \"monthly 1–28 "
                        "HH:MM\", found '{}'",
                        printable(text)),
            std::move(suggestion));
    };
    const auto last = text.rfind(' ');
    if (last == std::string_view::npos || !is_time_of_day(text.substr(last + 1))) {
        return wrong();
    }
    const auto day = text.substr(0, last);
    if (day == "daily") {
        return std::string(text);
    }
    if (day.starts_with("weekly ")) {
        const auto name = day.substr(7);
        if (std::ranges::find(kDays, name) != kDays.end()) {
            return std::string(text);
        }
        const auto near = nearest(name, kDays);
        return wrong(near.empty() ? std::string{}
                                  : fmt::format("weekly {}{}", near, text.substr(last)));
    }
    if (day.starts_with("monthly ")) {
        const auto number = leading_number(day.substr(8));
        if (number && number->second.empty() && number->first >= 1 && number->first <= 28) {
            return fmt::format("monthly {}{}", number->first, text.substr(last));
        }
    }
    return wrong();
}

Parsed<std::string> parse_http_url(std::string_view text) {
    const bool http = text.starts_with("http://") || text.starts_with("https://");
    const auto host = text.substr(std::min(text.find("://") + 3, text.size()));
    if (!http || host.empty() || host.starts_with('/')) {
        const bool bare = !text.contains("://") && !text.empty() && parse_word(text);
        return refuse(fmt::format("expected a URL that begins with https:// or http://, found '{}'",
                                  printable(text)),
                      bare ? fmt::format("https://{}", text) : std::string{});
    }
    return parse_word(text);
}

Parsed<std::string> parse_label(std::string_view text) {
    if (text.empty() || text.size() > kMaxLabelBytes || !is_printable_text(text)) {
        return refuse(fmt::format("expected 1 to {} bytes of printable text", kMaxLabelBytes));
    }
    return std::string(text);
}

Parsed<std::string> parse_word(std::string_view text) {
    if (text.empty() || text.size() > kMaxWordBytes || text.contains(' ') ||
        !is_printable_text(text)) {
        return refuse(fmt::format("expected 1 to {} bytes without white space, found '{}'",
                                  kMaxWordBytes,
                                  printable(text.substr(0, kMaxWordBytes))));
    }
    return std::string(text);
}

}  // namespace vigia::policy
