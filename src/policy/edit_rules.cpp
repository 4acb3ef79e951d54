// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/edit_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "policy/literals.h"
#include "policy/records.h"
#include "policy/values.h"

namespace vigia::policy {
namespace {

struct KindOfRule {
    RuleKind kind;
    std::string_view word;
    std::string_view key;  // of the policy
    Parsed<std::string> (*parse)(std::string_view);
    std::vector<std::string> ExclusionSet::* list;  // null: processes
};

constexpr std::array kKinds{
    KindOfRule{RuleKind::Path, "path", "paths", parse_excluded_path, &ExclusionSet::paths},
    KindOfRule{
        RuleKind::Wildcard, "wildcard", "wildcards", parse_wildcard, &ExclusionSet::wildcards},
    KindOfRule{
        RuleKind::Extension, "extension", "extensions", parse_extension, &ExclusionSet::extensions},
    KindOfRule{RuleKind::Threat, "threat", "threats", parse_threat, &ExclusionSet::threats},
    KindOfRule{RuleKind::Process, "process", "processes", parse_path, nullptr}};

const KindOfRule& row_of(RuleKind kind) {
    return *std::ranges::find(kKinds, kind, &KindOfRule::kind);
}

}  // namespace

std::string_view word_for(RuleKind kind) noexcept {
    return row_of(kind).word;
}

std::optional<RuleKind> rule_kind(std::string_view word) noexcept {
    const auto* const found = std::ranges::find(kKinds, word, &KindOfRule::word);
    return found == kKinds.end() ? std::nullopt : std::optional(found->kind);
}

namespace edits {

using Kind = EditRefusal::Kind;

std::unexpected<EditRefusal> refuse(Kind kind, std::string message) {
    return std::unexpected(EditRefusal{.kind = kind, .message = std::move(message)});
}

namespace {

// The value as the policy would hold it.
std::expected<std::string, EditRefusal> checked_value(
    std::string_view what, std::string_view value, Parsed<std::string> (*parse)(std::string_view)) {
    if (!is_valid_utf8(value)) {
        return refuse(Kind::Invalid,
                      fmt::format("{} '{}' is not valid UTF-8, and a policy can hold nothing else; "
                                  "a wildcard (* or ?) can stand for such bytes",
                                  what,
                                  printable(value)));
    }
    auto parsed = parse(value);
    if (!parsed) {
        const auto& complaint = parsed.error();
        return refuse(Kind::Invalid,
                      fmt::format("{}: {}{}",
                                  what,
                                  printable(complaint.message),
                                  complaint.suggestion.empty()
                                      ? ""
                                      : fmt::format(" (did you mean '{}'?)",
                                                    printable(complaint.suggestion))));
    }
    return *std::move(parsed);
}

bool same(const ProcessExclusion& one, const ExclusionRule& rule) {
    return one.path == rule.value && one.user == rule.user && one.children == rule.children;
}

}  // namespace

std::string_view key_of(RuleKind kind) noexcept {
    return row_of(kind).key;
}

std::expected<ExclusionRule, EditRefusal> checked(const ExclusionRule& rule) {
    const auto& row = row_of(rule.kind);
    auto value = checked_value(row.word, rule.value, row.parse);
    if (!value) {
        return std::unexpected(std::move(value).error());
    }
    ExclusionRule result{.kind = rule.kind, .value = *std::move(value)};
    if (rule.kind == RuleKind::Process) {
        result.user = rule.user;
        result.children = rule.children;
    } else if (!rule.user.empty() || rule.children) {
        return refuse(Kind::Invalid, "a user and children belong to a process rule only");
    }
    if (!result.user.empty()) {
        if (const auto user = checked_value("user", result.user, parse_word); !user) {
            return std::unexpected(user.error());
        }
    }
    return result;
}

std::expected<ExclusionAddition, EditRefusal> checked(const ExclusionAddition& addition,
                                                      std::chrono::sys_days today) {
    if (!is_set_name(addition.set)) {
        return refuse(Kind::Invalid,
                      fmt::format("'{}' cannot name a set: 1 to 64 letters, digits, - or _",
                                  printable(addition.set.substr(0, 64))));
    }
    auto rule = checked(addition.rule);
    if (!rule) {
        return std::unexpected(std::move(rule).error());
    }
    if (!addition.reason.empty()) {
        if (const auto reason = checked_value("reason", addition.reason, parse_label); !reason) {
            return std::unexpected(reason.error());
        }
    }
    if (addition.expires && *addition.expires <= today) {
        return refuse(
            Kind::Invalid,
            fmt::format("it would have expired already on {}", date_text(*addition.expires)));
    }
    auto result = addition;
    result.rule = *std::move(rule);
    return result;
}

std::string value_text(const ExclusionRule& rule) {
    if (rule.kind != RuleKind::Process) {
        return toml_string(rule.value);
    }
    auto text = "{ path = " + toml_string(rule.value);
    text += rule.user.empty() ? "" : ", user = " + toml_string(rule.user);
    return text + (rule.children ? ", children = true }" : " }");
}

std::optional<std::size_t> index_of(const ExclusionSet& set, const ExclusionRule& rule) {
    const auto list = row_of(rule.kind).list;
    std::size_t at = 0;
    std::size_t size = 0;
    if (list != nullptr) {
        const auto& values = set.*list;
        size = values.size();
        at = static_cast<std::size_t>(std::ranges::find(values, rule.value) - values.begin());
    } else {
        size = set.processes.size();
        at = static_cast<std::size_t>(
            std::ranges::find_if(set.processes, [&](const auto& one) { return same(one, rule); }) -
            set.processes.begin());
    }
    return at < size ? std::optional(at) : std::nullopt;
}

bool is_empty(const ExclusionSet& set) {
    return set.paths.empty() && set.wildcards.empty() && set.extensions.empty() &&
           set.threats.empty() && set.processes.empty();
}

void append(ExclusionSet& set, const ExclusionRule& rule) {
    if (const auto list = row_of(rule.kind).list; list != nullptr) {
        (set.*list).push_back(rule.value);
    } else {
        set.processes.push_back({.path = rule.value, .user = rule.user, .children = rule.children});
    }
}

void erase(ExclusionSet& set, const ExclusionRule& rule, std::size_t index) {
    const auto at = static_cast<std::ptrdiff_t>(index);
    if (const auto list = row_of(rule.kind).list; list != nullptr) {
        (set.*list).erase((set.*list).begin() + at);
    } else {
        set.processes.erase(set.processes.begin() + at);
    }
}

}  // namespace edits
}  // namespace vigia::policy
