// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "policy/types.h"

// Types of options that take one word out of a few (see types.h).
namespace vigia::policy {

// One of the names in `kTable`, a constexpr array of pairs {name, value}.
template <const auto& kTable>
struct OneOf {
    using Value = std::remove_cvref_t<decltype(kTable[0].second)>;

    [[nodiscard]] static std::optional<Value> read(const Node& node, const Context& context) {
        const auto* text = read_string(node, context);
        if (text == nullptr) {
            return std::nullopt;
        }
        std::array<std::string_view, kTable.size()> names{};
        for (std::size_t at = 0; at < kTable.size(); ++at) {
            names[at] = kTable[at].first;
            if (names[at] == *text) {
                return kTable[at].second;
            }
        }
        context.unknown_value(node, *text, names);
        return std::nullopt;
    }

    [[nodiscard]] static Node write(const Value& value) {
        for (const auto& [name, known] : kTable) {
            if (known == value) {
                return {.value = std::string(name)};
            }
        }
        return {.value = std::string{}};
    }
};

// One of the words in `kNames`, kept as text.
template <const auto& kNames>
struct Word {
    [[nodiscard]] static std::optional<std::string> read(const Node& node, const Context& context) {
        const auto* text = read_string(node, context);
        if (text == nullptr) {
            return std::nullopt;
        }
        for (const auto name : kNames) {
            if (name == *text) {
                return *text;
            }
        }
        context.unknown_value(node, *text, kNames);
        return std::nullopt;
    }

    [[nodiscard]] static Node write(const std::string& value) { return {.value = value}; }
};

}  // namespace vigia::policy
