// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "model/policy.h"

// Changes to the exclusions of a policy file as an administrator would make them by hand: one rule
// is put in or taken out, every comment and every other byte stays. What comes out parses to
// exactly the old policy and the change, or nothing comes out. Pure.
namespace vigia::policy {

enum class RuleKind : std::uint8_t { Path, Wildcard, Extension, Threat, Process };

// As the policy names it: "path", "wildcard", …
[[nodiscard]] std::string_view word_for(RuleKind kind) noexcept;
[[nodiscard]] std::optional<RuleKind> rule_kind(std::string_view word) noexcept;

struct ExclusionRule {
    RuleKind kind = RuleKind::Path;
    std::string value;      // of a process its executable
    std::string user = {};  // the two: of a process only
    bool children = false;
};

struct ExclusionAddition {
    std::string set;
    ExclusionRule rule;
    std::string reason = {};  // a new set needs one; for one that exists: empty, or its own
    std::optional<std::chrono::sys_days> expires = {};  // likewise
};

struct EditRefusal {
    enum class Kind : std::uint8_t {
        Invalid,      // what is asked for cannot be
        Unchanged,    // it is there already, or not there
        Broken,       // the file has mistakes of its own
        NotPossible,  // the file is laid out in a way that we do not know how to change
    };

    Kind kind = Kind::Invalid;
    std::string message;  // printable
};

// The new text of the file. `today` is UTC: what has expired by then is refused.
[[nodiscard]] std::expected<std::string, EditRefusal> add_exclusion(
    std::string_view text, const ExclusionAddition& addition, std::chrono::sys_days today);

// A set that is empty then goes as well, unless there are comments in it.
[[nodiscard]] std::expected<std::string, EditRefusal> remove_exclusion(std::string_view text,
                                                                       const std::string& set,
                                                                       const ExclusionRule& rule);

}  // namespace vigia::policy
