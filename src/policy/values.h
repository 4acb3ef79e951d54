// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

// The notations inside a policy's strings: pure, total, and each with its way back to text.
namespace vigia::policy {

// What is wrong with a value, and what to write instead where that is plain.
struct Complaint {
    std::string message;
    std::string suggestion = {};
};

template <typename T>
using Parsed = std::expected<T, Complaint>;

// "500ms", "2s", "10m", "1h", "3d": a whole number and one unit.
[[nodiscard]] Parsed<std::chrono::milliseconds> parse_duration(std::string_view text);
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);

// "4096", "100MiB", "1GB": KiB, MiB, GiB, TiB are powers of 1024; KB, MB, GB, TB of 1000.
[[nodiscard]] Parsed<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string size_text(std::uint64_t bytes);

// "25%": 1 to 100.
[[nodiscard]] Parsed<unsigned> parse_percent(std::string_view text);

// Absolute, no "." or ".." component; doubled and trailing slashes are taken away.
[[nodiscard]] Parsed<std::string> parse_path(std::string_view text);

// As parse_path, but not "/": a rule for it would leave out everything.
[[nodiscard]] Parsed<std::string> parse_excluded_path(std::string_view text);

// Begins with "/" or "**", syntax as in wildcard.h, does not match every path there is.
[[nodiscard]] Parsed<std::string> parse_wildcard(std::string_view text);

// "iso" (also written ".iso"), lower-cased; the part behind the last dot, so it holds none itself.
[[nodiscard]] Parsed<std::string> parse_extension(std::string_view text);

// A name of a signature, without libclamav's ".UNOFFICIAL".
[[nodiscard]] Parsed<std::string> parse_threat(std::string_view text);

// An IPv4 or IPv6 network or address, no bits set behind the prefix: canonical "address/length".
[[nodiscard]] Parsed<std::string> parse_network(std::string_view text);

// A regular expression in ECMAScript's form, at most 256 bytes.
[[nodiscard]] Parsed<std::string> parse_regex(std::string_view text);

// "daily 02:30", "weekly sunday 02:30", "monthly 1 02:30" (day 1 to 28, so that each month has it).
[[nodiscard]] Parsed<std::string> parse_schedule(std::string_view text);

// "http://…" or "https://…" without white space.
[[nodiscard]] Parsed<std::string> parse_http_url(std::string_view text);

// Of a policy: 1 to 128 bytes, printable.
[[nodiscard]] Parsed<std::string> parse_label(std::string_view text);

// Any text that is not empty and has neither white space nor control characters; at most 256 bytes.
[[nodiscard]] Parsed<std::string> parse_word(std::string_view text);

}  // namespace vigia::policy
