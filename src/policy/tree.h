// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// A TOML document as plain values with the place where each stood. The parser's own types stay in
// tree.cpp; the schema reads this, and the printer writes it.
namespace vigia::policy {

// From 1, columns in characters; 0: not from a file.
struct Position {
    unsigned line = 0;
    unsigned column = 0;

    auto operator<=>(const Position&) const = default;
};

struct Node;
struct Member;

using Items = std::vector<Node>;
using Members = std::vector<Member>;  // in the order of the keys

// A time of day or a moment: TOML has them, no option of ours takes one.
struct OtherTime {
    bool operator==(const OtherTime&) const = default;
};

struct Node {
    using Value = std::variant<bool,
                               std::int64_t,
                               double,
                               std::string,
                               std::chrono::sys_days,
                               OtherTime,
                               Items,
                               Members>;

    Value value;
    Position at = {};

    template <typename T>
    [[nodiscard]] const T* as() const noexcept {
        return std::get_if<T>(&value);
    }

    // The member of a table, or nothing.
    [[nodiscard]] const Member* find(std::string_view key) const noexcept;
};

struct Member {
    std::string key;
    Position at = {};
    Node value = {};
};

// "a table", "a string", …
[[nodiscard]] std::string_view kind_of(const Node& node) noexcept;

struct SyntaxError {
    Position at;
    std::string message;
};

// Largest policy file that is read at all.
inline constexpr std::size_t kMaxPolicyBytes = std::size_t{2} * 1024 * 1024;

// The document's table. Total over any bytes: bounded in size, in nesting (kMaxNesting) and in the
// parts of a key, because the parser's tree is built and taken down recursively.
[[nodiscard]] std::expected<Node, SyntaxError> read_toml(std::string_view text);

inline constexpr std::size_t kMaxNesting = 16;

}  // namespace vigia::policy
