// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace vigia::policy {

// How many single-character edits (insert, delete, replace, swap of neighbours) make `left`
// `right`.
[[nodiscard]] std::size_t edit_distance(std::string_view left, std::string_view right);

// The name that was probably meant: nearest by edits, at most a third of its length away (at least
// one, letter case not counted). Empty: none is near.
[[nodiscard]] std::string_view nearest(std::string_view given,
                                       std::span<const std::string_view> names);

// "a, b or c"
[[nodiscard]] std::string one_of(std::span<const std::string_view> names);

}  // namespace vigia::policy
