// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/catalogue.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "health/all_faults.gen.h"  // one include and one entry of kAllFaults for each file

namespace vigia::health {
namespace {

constexpr std::array kCatalogue = [] {
    auto sorted = generated::kAllFaults;
    std::ranges::sort(sorted, {}, &Fault::id);
    return sorted;
}();

// The placeholder at or after `from`, "{paths}", or empty.
constexpr std::string_view next_placeholder(std::string_view text, std::size_t from) {
    const auto open = text.find('{', from);
    const auto close = open == std::string_view::npos ? open : text.find('}', open);
    return close == std::string_view::npos ? std::string_view{}
                                           : text.substr(open, close - open + 1);
}

constexpr bool has_placeholders_of(std::string_view text, std::string_view other) {
    for (auto hole = next_placeholder(other, 0); !hole.empty();
         hole = next_placeholder(other, static_cast<std::size_t>(hole.end() - other.begin()))) {
        if (text.find(hole) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

constexpr bool is_translated(const Text& text) {
    return !text.en.empty() && !text.es.empty() && has_placeholders_of(text.es, text.en) &&
           has_placeholders_of(text.en, text.es);
}

constexpr bool is_whole(const Cause& cause) {
    return !cause.word.empty() && is_translated(cause.description) && is_translated(cause.lost) &&
           !cause.remedy.empty() &&
           std::ranges::all_of(cause.remedy,
                               [](const Step& step) { return is_translated(step.text); }) &&
           (cause.heal.action == Heal::None) == (cause.heal.attempts == 0);
}

constexpr bool are_distinct(std::span<const Cause> causes) {
    for (std::size_t at = 0; at < causes.size(); ++at) {
        for (std::size_t other = at + 1; other < causes.size(); ++other) {
            if (causes[at].word == causes[other].word) {
                return false;
            }
        }
    }
    return !causes.empty();
}

constexpr bool is_complete(const Fault* fault) {
    return fault->id != 0 && !fault->key.empty() && fault->probe != nullptr &&
           is_translated(fault->title) && is_translated(fault->summary) &&
           std::ranges::all_of(fault->causes, is_whole) && are_distinct(fault->causes) &&
           fault->gate.empty() == (fault->wanted == nullptr);
}

static_assert(std::ranges::all_of(kCatalogue, is_complete), "incomplete fault entry");
static_assert(std::ranges::adjacent_find(kCatalogue, {}, &Fault::id) == kCatalogue.end(),
              "two faults share an id");

}  // namespace

std::span<const Fault* const> catalogue() {
    return kCatalogue;
}

const Fault* find_fault(int id) {
    const auto found = std::ranges::find(kCatalogue, id, &Fault::id);
    return found == kCatalogue.end() ? nullptr : *found;
}

const Fault* find_fault(std::string_view key) {
    const auto found = std::ranges::find(kCatalogue, key, &Fault::key);
    return found == kCatalogue.end() ? nullptr : *found;
}

const Fault* fault_named(std::string_view name) {
    int id = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
    const bool number = parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size();
    return number ? find_fault(id) : find_fault(name);
}

const Cause* find_cause(const Fault& fault, std::string_view word) {
    const auto found = std::ranges::find(fault.causes, word, &Cause::word);
    return found == fault.causes.end() ? nullptr : &*found;
}

}  // namespace vigia::health
