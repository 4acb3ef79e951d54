// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/edit.h"

// What a rule of exclusion is, for edit.cpp: checked as the policy checks it, and as text.
namespace vigia::policy::edits {

[[nodiscard]] std::unexpected<EditRefusal> refuse(EditRefusal::Kind kind, std::string message);

// The key of the set that holds such rules: "paths".
[[nodiscard]] std::string_view key_of(RuleKind kind) noexcept;

// As the policy would hold it: paths normalised, extensions in lower case.
[[nodiscard]] std::expected<ExclusionRule, EditRefusal> checked(const ExclusionRule& rule);
[[nodiscard]] std::expected<ExclusionAddition, EditRefusal> checked(
    const ExclusionAddition& addition, std::chrono::sys_days today);

// "\"/srv\"", "{ path = … }"
[[nodiscard]] std::string value_text(const ExclusionRule& rule);

// Where it is in its list of the set; nothing: it is not there.
[[nodiscard]] std::optional<std::size_t> index_of(const ExclusionSet& set,
                                                  const ExclusionRule& rule);

void append(ExclusionSet& set, const ExclusionRule& rule);
void erase(ExclusionSet& set, const ExclusionRule& rule, std::size_t index);

// No rule in it.
[[nodiscard]] bool is_empty(const ExclusionSet& set);

}  // namespace vigia::policy::edits
