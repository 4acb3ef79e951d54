// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "policy/decide.h"
#include "policy/wildcard.h"

namespace vigia::policy {
namespace {

constexpr std::size_t kLongestExtension = 32;  // as parse_extension allows

struct Rule {
    std::string_view text;  // of the policy, which outlives this
    const ExclusionSet* set = nullptr;
};

struct Pattern {
    Wildcard wildcard;
    Rule rule;
};

struct ProcessRule {
    const ProcessExclusion* process = nullptr;
    const ExclusionSet* set = nullptr;
};

bool in_force(const ExclusionSet& set, WallTime now) noexcept {
    // In days: a date beyond 2262 does not fit the nanoseconds of WallTime.
    return !set.expires || std::chrono::floor<std::chrono::days>(now) < *set.expires;
}

// The rule for exactly this text, of a set in force. `rules` are sorted by their text.
const Rule* find_rule(const std::vector<Rule>& rules,
                      std::string_view text,
                      WallTime now) noexcept {
    const auto same = std::ranges::equal_range(rules, text, {}, &Rule::text);
    const auto found =
        std::ranges::find_if(same, [&](const Rule& rule) { return in_force(*rule.set, now); });
    return found == same.end() ? nullptr : &*found;
}

// The part behind the last dot of the last component; a name that only begins with a dot has none.
std::string_view extension_of(std::string_view path) noexcept {
    const auto name = path.substr(path.rfind('/') + 1);
    const auto dot = name.rfind('.');
    return dot == std::string_view::npos || dot == 0 ? std::string_view{} : name.substr(dot + 1);
}

void sort_rules(std::vector<Rule>& rules) {
    std::ranges::stable_sort(rules, {}, &Rule::text);
}

enum class PathKind : std::uint8_t { Folder, Wildcard, Extension };

std::string_view word_for(PathKind kind) noexcept {
    switch (kind) {
        case PathKind::Folder:
            return "path";
        case PathKind::Wildcard:
            return "wildcard";
        case PathKind::Extension:
            return "extension";
    }
    return "";
}

struct PathRule {
    const Rule* rule = nullptr;
    PathKind kind = PathKind::Folder;
};

ExclusionMatch match(const ExclusionSet& set, std::string rule) {
    return {.excluded = true, .set = set.name, .rule = std::move(rule), .why = set.reason};
}

}  // namespace

struct Exclusions::Impl {
    std::shared_ptr<const Policy> policy;  // owns every text the rules point to
    std::vector<Rule> folders;
    std::vector<Pattern> patterns;
    std::vector<Rule> extensions;
    std::vector<Rule> threats;
    std::vector<ProcessRule> processes;

    void add(const ExclusionSet& set);
    [[nodiscard]] const Rule* folder_above(std::string_view path, WallTime now) const noexcept;
    [[nodiscard]] const Rule* extension_rule(std::string_view path, WallTime now) const noexcept;
    [[nodiscard]] PathRule path_rule(std::string_view path, WallTime now) const noexcept;
};

void Exclusions::Impl::add(const ExclusionSet& set) {
    const auto append = [&set](std::vector<Rule>& rules, const std::vector<std::string>& texts) {
        for (const auto& text : texts) {
            rules.push_back({.text = text, .set = &set});
        }
    };
    append(folders, set.paths);
    append(extensions, set.extensions);
    append(threats, set.threats);
    for (const auto& text : set.wildcards) {
        // The policy was validated: what does not compile was refused with its line and column.
        if (auto wildcard = Wildcard::compile(text)) {
            patterns.push_back(
                {.wildcard = *std::move(wildcard), .rule = {.text = text, .set = &set}});
        }
    }
    for (const auto& process : set.processes) {
        processes.push_back({.process = &process, .set = &set});
    }
}

// The path itself and each folder above it.
const Rule* Exclusions::Impl::folder_above(std::string_view path, WallTime now) const noexcept {
    while (!folders.empty() && !path.empty()) {
        if (const auto* rule = find_rule(folders, path, now)) {
            return rule;
        }
        path = path.substr(0, std::min(path.rfind('/'), path.size() - 1));
    }
    return nullptr;
}

const Rule* Exclusions::Impl::extension_rule(std::string_view path, WallTime now) const noexcept {
    const auto extension = extension_of(path);
    if (extensions.empty() || extension.empty() || extension.size() > kLongestExtension) {
        return nullptr;
    }
    std::array<char, kLongestExtension> lower{};
    std::ranges::transform(extension, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return find_rule(extensions, {lower.data(), extension.size()}, now);
}

PathRule Exclusions::Impl::path_rule(std::string_view path, WallTime now) const noexcept {
    if (const auto* rule = folder_above(path, now)) {
        return {.rule = rule, .kind = PathKind::Folder};
    }
    const auto pattern = std::ranges::find_if(patterns, [&](const Pattern& candidate) {
        return in_force(*candidate.rule.set, now) && candidate.wildcard.matches(path);
    });
    if (pattern != patterns.end()) {
        return {.rule = &pattern->rule, .kind = PathKind::Wildcard};
    }
    return {.rule = extension_rule(path, now), .kind = PathKind::Extension};
}

Exclusions::Exclusions(std::shared_ptr<const Policy> policy) : impl_(std::make_unique<Impl>()) {
    impl_->policy = std::move(policy);
    for (const auto& set : impl_->policy->exclusions) {
        impl_->add(set);
    }
    sort_rules(impl_->folders);
    sort_rules(impl_->extensions);
    sort_rules(impl_->threats);
}

Exclusions::Exclusions(Exclusions&&) noexcept = default;
Exclusions& Exclusions::operator=(Exclusions&&) noexcept = default;
Exclusions::~Exclusions() = default;

bool Exclusions::excludes_path(std::string_view path, WallTime now) const noexcept {
    return impl_->path_rule(path, now).rule != nullptr;
}

ExclusionMatch Exclusions::match_path(std::string_view path, WallTime now) const {
    const auto [rule, kind] = impl_->path_rule(path, now);
    return rule == nullptr ? ExclusionMatch{}
                           : match(*rule->set, fmt::format("{} {}", word_for(kind), rule->text));
}

ExclusionMatch Exclusions::match_process(const ProcessFacts& process, WallTime now) const {
    for (const auto& [rule, set] : impl_->processes) {
        const bool itself =
            rule->path == process.program && (rule->user.empty() || rule->user == process.user);
        const bool below = rule->children && process.ancestor_matches_children_rule;
        if ((itself || below) && in_force(*set, now)) {
            return match(*set, rule_text(*rule));
        }
    }
    return {};
}

ExclusionMatch Exclusions::match_child_of(const ProcessFacts& ancestor, WallTime now) const {
    for (const auto& [rule, set] : impl_->processes) {
        const bool named =
            rule->path == ancestor.program && (rule->user.empty() || rule->user == ancestor.user);
        if (rule->children && named && in_force(*set, now)) {
            return match(*set, rule_text(*rule));
        }
    }
    return {};
}

ExclusionMatch Exclusions::match_threat(std::string_view threat, WallTime now) const {
    const auto* rule = find_rule(impl_->threats, plain_threat_name(threat), now);
    return rule == nullptr ? ExclusionMatch{}
                           : match(*rule->set, fmt::format("threat {}", rule->text));
}

bool Exclusions::has_processes() const noexcept {
    return !impl_->processes.empty();
}

std::string rule_text(const ProcessExclusion& rule) {
    return fmt::format("process {}{}{}", rule.path, rule.user.empty() ? "" : ", user ", rule.user);
}

std::vector<std::string> Exclusions::folders(WallTime now) const {
    std::vector<std::string> result;
    for (const auto& rule : impl_->folders) {
        if (in_force(*rule.set, now)) {
            result.emplace_back(rule.text);
        }
    }
    const auto repeated = std::ranges::unique(result);
    result.erase(repeated.begin(), repeated.end());
    return result;
}

}  // namespace vigia::policy
