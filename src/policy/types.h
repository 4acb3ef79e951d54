// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/context.h"
#include "policy/tree.h"
#include "policy/values.h"

// The types that options have. Each reads a value out of a document, saying what is wrong with it,
// and writes it back:
//   static std::optional<T> read(const Node&, const Context&);
//   static Node write(const T&);
namespace vigia::policy {

struct Flag {
    [[nodiscard]] static std::optional<bool> read(const Node& node, const Context& context);

    [[nodiscard]] static Node write(bool value) { return {.value = value}; }
};

template <typename T, std::uint64_t kLeast, std::uint64_t kMost>
struct Number;

[[nodiscard]] std::optional<std::uint64_t> read_number(
    const Node& node, const Context& context, std::pair<std::uint64_t, std::uint64_t> range);

template <typename T, std::uint64_t kLeast, std::uint64_t kMost>
struct Number {
    [[nodiscard]] static std::optional<T> read(const Node& node, const Context& context) {
        const auto value = read_number(node, context, {kLeast, kMost});
        return value ? std::optional(static_cast<T>(*value)) : std::nullopt;
    }

    [[nodiscard]] static Node write(T value) { return {.value = static_cast<std::int64_t>(value)}; }
};

// Milliseconds; `step` is the finest part that the option has.
struct DurationRange {
    std::uint64_t least = 0;
    std::uint64_t most = 0;
    std::uint64_t step = 1;
};

[[nodiscard]] std::optional<std::uint64_t> read_milliseconds(const Node& node,
                                                             const Context& context,
                                                             const DurationRange& range);

// `Duration` is a std::chrono duration no finer than milliseconds; the range is in milliseconds.
template <typename Duration, std::uint64_t kLeast, std::uint64_t kMost>
struct Lasting {
    [[nodiscard]] static std::optional<Duration> read(const Node& node, const Context& context) {
        constexpr auto kStep = std::chrono::milliseconds{Duration{1}}.count();
        const auto value =
            read_milliseconds(node, context, {.least = kLeast, .most = kMost, .step = kStep});
        return value ? std::optional(
                           std::chrono::duration_cast<Duration>(std::chrono::milliseconds{*value}))
                     : std::nullopt;
    }

    [[nodiscard]] static Node write(Duration value) { return {.value = duration_text(value)}; }
};

[[nodiscard]] std::optional<std::uint64_t> read_bytes(
    const Node& node, const Context& context, std::pair<std::uint64_t, std::uint64_t> range);

template <std::uint64_t kLeast, std::uint64_t kMost>
struct Size {
    [[nodiscard]] static std::optional<std::uint64_t> read(const Node& node,
                                                           const Context& context) {
        return read_bytes(node, context, {kLeast, kMost});
    }

    [[nodiscard]] static Node write(std::uint64_t value) { return {.value = size_text(value)}; }
};

// A string that `kParse` understands.
[[nodiscard]] const std::string* read_string(const Node& node, const Context& context);

template <auto kParse>
struct Text {
    [[nodiscard]] static std::optional<std::string> read(const Node& node, const Context& context) {
        const auto* text = read_string(node, context);
        if (text == nullptr) {
            return std::nullopt;
        }
        auto parsed = kParse(*text);
        if (!parsed) {
            context.wrong(node.at, std::move(parsed).error());
            return std::nullopt;
        }
        return *std::move(parsed);
    }

    [[nodiscard]] static Node write(const std::string& value) { return {.value = value}; }
};

[[nodiscard]] const Items* read_array(const Node& node, const Context& context);

// An array; its good items are kept, each bad one is told of. `List` is what holds them.
template <typename Item, typename List>
struct ListOf {
    [[nodiscard]] static std::optional<List> read(const Node& node, const Context& context) {
        const auto* items = read_array(node, context);
        if (items == nullptr) {
            return std::nullopt;
        }
        List list;
        for (std::size_t at = 0; at < items->size(); ++at) {
            if (auto value = Item::read((*items)[at], context.item(at))) {
                list.insert(list.end(), *std::move(value));
            }
        }
        return list;
    }

    [[nodiscard]] static Node write(const List& list) {
        Items items;
        for (const auto& value : list) {
            items.push_back(Item::write(value));
        }
        return {.value = std::move(items)};
    }
};

template <auto kParse>
using Texts = ListOf<Text<kParse>, std::vector<std::string>>;

}  // namespace vigia::policy
