// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace vigia {

// Something about this machine or about ourselves that we found out, with where it was found, or
// the reason why nobody can know. "Unknown" is an answer of its own: it never counts as the good
// one, and no fault is raised or cleared by it.
template <typename T>
struct Fact {
    std::optional<T> value = {};
    std::string source = {};       // file, call or component that said so
    std::string why_unknown = {};  // one printable sentence, when there is no value

    // NOLINTBEGIN(performance-unnecessary-value-param): in a template the moves are not seen
    [[nodiscard]] static Fact known(T found, std::string where) {
        return {.value = std::move(found), .source = std::move(where)};
    }

    [[nodiscard]] static Fact unknown(std::string why, std::string where = {}) {
        return {.source = std::move(where), .why_unknown = std::move(why)};
    }

    // NOLINTEND(performance-unnecessary-value-param)

    [[nodiscard]] bool is_known() const { return value.has_value(); }

    explicit operator bool() const = delete;  // a Fact<bool> that is known to be false

    [[nodiscard]] const T& operator*() const { return *value; }

    [[nodiscard]] const T* operator->() const { return &*value; }
};

}  // namespace vigia
