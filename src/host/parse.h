// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <charconv>
#include <expected>
#include <ranges>
#include <string>
#include <string_view>
#include <system_error>

namespace vigia::host {

// What a parser of this folder returns: the value, or in one printable sentence why there is none.
// Parsers are total: any bytes, of any length, give one or the other.
template <typename T>
using Parsed = std::expected<T, std::string>;

[[nodiscard]] inline std::string_view take_until(std::string_view& rest, char separator) {
    const auto end = rest.find(separator);
    const auto part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
}

[[nodiscard]] inline std::string_view take_line(std::string_view& rest) {
    return take_until(rest, '\n');
}

[[nodiscard]] inline std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n\v\f";
    const auto first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// The next word and, in `rest`, what follows it.
[[nodiscard]] inline std::string_view take_word(std::string_view& rest) {
    rest = trim(rest);
    const auto end = rest.find_first_of(" \t");
    const auto word = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return word;
}

// std::ranges::contains, which libstdc++ 12 does not have.
template <std::ranges::input_range Range, typename Value>
[[nodiscard]] bool holds(const Range& range, const Value& value) {
    return std::ranges::find(range, value) != std::ranges::end(range);
}

// The whole text is the number, or false.
template <typename Number>
[[nodiscard]] bool parse_number(std::string_view text, Number& number, int base = 10) {
    const auto [stopped, problem] = std::from_chars(text.begin(), text.end(), number, base);
    return problem == std::errc{} && stopped == text.end() && !text.empty();
}

}  // namespace vigia::host
