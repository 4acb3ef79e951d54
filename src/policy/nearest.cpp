// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/nearest.h"

#include <algorithm>
#include <ranges>
#include <vector>

namespace vigia::policy {
namespace {

// A name this long is no typing mistake of one of ours; it also bounds the work.
constexpr std::size_t kLongestName = 64;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

}  // namespace

std::size_t edit_distance(std::string_view left, std::string_view right) {
    // Three rows of the optimal string alignment table: the one being made and the two before it.
    std::vector<std::size_t> before(right.size() + 1);
    std::vector<std::size_t> last(right.size() + 1);
    std::vector<std::size_t> row(right.size() + 1);
    std::ranges::copy(std::views::iota(std::size_t{0}, last.size()), last.begin());
    for (std::size_t i = 1; i <= left.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
            const bool swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if (swapped) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[right.size()];
}

std::string_view nearest(std::string_view given, std::span<const std::string_view> names) {
    if (given.size() > kLongestName) {
        return {};
    }
    const std::string wanted = lower(given);
    std::string_view best;
    std::size_t best_distance = kLongestName;
    for (const auto name : names) {
        const std::size_t distance = edit_distance(wanted, name);
        const std::size_t allowed = std::max<std::size_t>(1, name.size() / 3);
        if (distance <= allowed && distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}

std::string one_of(std::span<const std::string_view> names) {
    std::string text;
    for (std::size_t at = 0; at < names.size(); ++at) {
        if (at > 0) {
            text += at + 1 == names.size() ? " or " : ", ";
        }
        text += names[at];
    }
    return text;
}

}  // namespace vigia::policy
