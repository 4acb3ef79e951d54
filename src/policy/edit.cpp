// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "base/text.h"
#include "policy/literals.h"
#include "policy/policy_file.h"
#include "policy/records.h"
#include "policy/source_text.h"
#include "policy/values.h"

namespace vigia::policy {
namespace {

using Kind = EditRefusal::Kind;
using Edited = std::expected<std::string, EditRefusal>;

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

std::unexpected<EditRefusal> refuse(Kind kind, std::string message) {
    return std::unexpected(EditRefusal{.kind = kind, .message = std::move(message)});
}

// The value as the policy would hold it.
Edited checked(std::string_view what,
             std::string_view value,
             Parsed<std::string> (*parse)(std::string_view)) {
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

std::expected<ExclusionRule, EditRefusal> checked(const ExclusionRule& rule) {
    const auto& row = row_of(rule.kind);
    auto value = checked(row.word, rule.value, row.parse);
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
        if (const auto user = checked("user", result.user, parse_word); !user) {
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
        if (const auto reason = checked("reason", addition.reason, parse_label); !reason) {
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

bool same(const ProcessExclusion& one, const ExclusionRule& rule) {
    return one.path == rule.value && one.user == rule.user && one.children == rule.children;
}

// Where it is in its list of the set; nothing: it is not there.
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

std::string canonical(Policy policy) {
    std::ranges::sort(policy.exclusions, {}, &ExclusionSet::name);
    return to_toml(policy);
}

// The first of the texts that means what is wanted.
class Candidates {
public:
    explicit Candidates(const Policy& wanted) : wanted_(canonical(wanted)) {}

    bool offer(std::string text) {
        if (!found_) {
            const auto policy = parse(text, "changed policy");
            if (policy && canonical(**policy) == wanted_) {
                found_ = std::move(text);
            }
        }
        return found_.has_value();
    }

    [[nodiscard]] std::optional<std::string> take() { return std::move(found_); }

private:
    std::string wanted_;
    std::optional<std::string> found_;
};

// A text with what is needed to change it.
struct Source {
    std::string_view text;
    Node document;
    std::shared_ptr<const Policy> policy;

    [[nodiscard]] std::size_t at(Position position) const { return offset_of(text, position); }

    // A header such as [exclusions.ci] stands there, not a value.
    [[nodiscard]] bool is_header(std::size_t at) const {
        return at < text.size() && text[at] == '[' &&
               line_begin(text, at) + indent_of(text, at).size() == at;
    }

    [[nodiscard]] const Member* sets() const { return document.find("exclusions"); }

    [[nodiscard]] const Member* set(const std::string& name) const {
        return sets() == nullptr ? nullptr : sets()->value.find(name);
    }

    // Behind all that belongs to it.
    [[nodiscard]] std::size_t end_of(const Node& node) const {
        const auto begin = at(node.at);
        std::size_t end = begin;
        if (const auto* members = node.as<Members>()) {
            for (const auto& member : *members) {
                end = std::max(end, end_of(member.value));
            }
        } else if (const auto* items = node.as<Items>()) {
            for (const auto& item : *items) {
                end = std::max(end, end_of(item));
            }
        }
        const bool written_whole = begin < text.size() && !is_header(begin) &&
                                   (node.as<Members>() == nullptr || text[begin] == '{');
        end = written_whole ? std::max(end, value_end(text, begin)) : end;
        return is_header(begin) ? std::max(end, line_end(text, begin)) : end;
    }
};

std::expected<Source, EditRefusal> read_source(std::string_view text) {
    auto policy = parse(text, "policy");
    auto document = read_toml(text);
    if (!policy || !document) {
        return refuse(Kind::Broken,
                      "the policy file has mistakes, so nothing can be put into it: " +
                          (policy ? std::string{} : policy.error().front().text()));
    }
    return Source{.text = text, .document = *std::move(document), .policy = *std::move(policy)};
}

std::string inserted(std::string_view text, std::size_t at, std::string_view what) {
    return std::string(text.substr(0, at)) + std::string(what) + std::string(text.substr(at));
}

std::string lines(std::string_view text, std::string_view newline) {
    std::string out;
    for (const char c : text) {
        out += c == '\n' ? std::string(newline) : std::string(1, c);
    }
    return out;
}

// As a paragraph of its own behind the line of `at`.
std::string with_paragraph(std::string_view text, std::size_t at, const std::string& paragraph) {
    const auto newline = newline_of(text);
    const auto end = line_end(text, at);
    const auto rest = text.substr(next_line(text, at));
    std::string what(newline);
    what += text.substr(0, end).empty() ? "" : newline;
    what += lines(paragraph, newline);
    if (end == text.size() || rest.empty()) {
        what += newline;
        return std::string(text.substr(0, end)) + what;
    }
    if (!rest.starts_with(newline)) {
        what += newline;
    }
    return inserted(text, end, what);
}

std::string at_the_end(std::string_view text, const std::string& paragraph) {
    const auto last = text.find_last_not_of(" \t\r\n");
    return with_paragraph(text, last == std::string_view::npos ? 0 : last, paragraph);
}

std::string section_of(const ExclusionAddition& addition) {
    auto section = fmt::format("[exclusions.{}]\n", addition.set);
    if (!addition.reason.empty()) {
        section += "reason = " + toml_string(addition.reason) + "\n";
    }
    if (addition.expires) {
        section += "expires = " + date_text(*addition.expires) + "\n";
    }
    return section +
           fmt::format("{} = [{}]", row_of(addition.rule.kind).key, value_text(addition.rule));
}

std::string inline_set_of(const ExclusionAddition& addition) {
    auto text = fmt::format("{} = {{ reason = {}", addition.set, toml_string(addition.reason));
    if (addition.expires) {
        text += ", expires = " + date_text(*addition.expires);
    }
    return text +
           fmt::format(", {} = [{}] }}", row_of(addition.rule.kind).key, value_text(addition.rule));
}

void offer_new_set(const Source& source,
                   const ExclusionAddition& addition,
                   Candidates& candidates) {
    const auto* sets = source.sets();
    if (sets != nullptr) {
        const auto at = source.at(sets->value.at);
        if (at < source.text.size() && source.text[at] == '{') {
            candidates.offer(
                with_item(source.text, read_list(source.text, at), inline_set_of(addition)));
        } else if (!sets->value.as<Members>()->empty()) {
            candidates.offer(
                with_paragraph(source.text, source.end_of(sets->value), section_of(addition)));
        }
    }
    candidates.offer(at_the_end(source.text, section_of(addition)));
}

// "exclusions.ci." of a line such as `exclusions.ci.reason = "…"`.
std::string_view key_prefix(std::string_view text, std::size_t at) {
    const auto begin = line_begin(text, at) + indent_of(text, at).size();
    const auto key = text.substr(begin, std::min(text.find('=', begin), text.size()) - begin);
    const auto dot = key.rfind('.');
    return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot + 1);
}

// A key that the set does not have yet.
void offer_new_key(const Source& source,
                   const Member& set,
                   const ExclusionRule& rule,
                   Candidates& candidates) {
    const auto text = source.text;
    const auto line = fmt::format("{} = [{}]", row_of(rule.kind).key, value_text(rule));
    const auto newline = std::string(newline_of(text));
    const auto at = source.at(set.value.at);
    if (at < text.size() && text[at] == '{') {
        candidates.offer(with_item(text, read_list(text, at), line));
    }
    std::size_t last = 0;
    for (const auto& member : *set.value.as<Members>()) {
        const auto key = source.at(member.at);
        if (!source.is_header(line_begin(text, key) + indent_of(text, key).size())) {
            last = std::max(last, source.end_of(member.value));
        }
    }
    if (last > 0) {
        const auto indent = std::string(indent_of(text, last));
        const auto end = line_end(text, last);
        candidates.offer(inserted(text, end, newline + indent + line));
        candidates.offer(
            inserted(text, end, newline + indent + std::string(key_prefix(text, last)) + line));
    }
    if (source.is_header(at)) {
        candidates.offer(
            inserted(text, line_end(text, at), newline + std::string(indent_of(text, at)) + line));
    }
    candidates.offer(at_the_end(text, fmt::format("[exclusions.{}]\n{}", set.key, line)));
}

void offer_for_set(const Source& source,
                   const Member& set,
                   const ExclusionRule& rule,
                   Candidates& candidates) {
    const auto key = row_of(rule.kind).key;
    const auto* known = set.value.find(key);
    if (known == nullptr) {
        offer_new_key(source, set, rule, candidates);
        return;
    }
    const auto at = source.at(known->value.at);
    if (at < source.text.size() && source.text[at] == '[') {
        candidates.offer(with_item(source.text, read_list(source.text, at), value_text(rule)));
    }
    if (rule.kind == RuleKind::Process) {
        auto block =
            fmt::format("[[exclusions.{}.processes]]\npath = {}", set.key, toml_string(rule.value));
        block += rule.user.empty() ? "" : "\nuser = " + toml_string(rule.user);
        block += rule.children ? "\nchildren = true" : "";
        candidates.offer(with_paragraph(source.text, source.end_of(known->value), block));
    }
}

Edited outcome(Candidates& candidates) {
    if (auto found = candidates.take()) {
        return *std::move(found);
    }
    return refuse(Kind::NotPossible,
                  "the policy file is laid out in a way that cannot be changed safely; edit it by "
                  "hand");
}

// What the addition asks of a set that is there.
std::optional<EditRefusal> disagrees(const ExclusionSet& set, const ExclusionAddition& addition) {
    if (index_of(set, addition.rule)) {
        return EditRefusal{.kind = Kind::Unchanged,
                           .message = fmt::format("set {} has this rule already", set.name)};
    }
    if (!addition.reason.empty() && addition.reason != set.reason) {
        return EditRefusal{
            .kind = Kind::Invalid,
            .message = fmt::format("set {} has the reason '{}'; leave --reason out, or name "
                                   "another set",
                                   set.name,
                                   printable(set.reason))};
    }
    if (addition.expires && addition.expires != set.expires) {
        return EditRefusal{
            .kind = Kind::Invalid,
            .message = fmt::format(
                "set {} {}; leave --expires out, or name another "
                "set",
                set.name,
                set.expires ? "expires on " + date_text(*set.expires) : "does not expire")};
    }
    return std::nullopt;
}

// A section that says nothing any more, with the blank line before it.
std::optional<std::string> without_section(const Source& source, const Member& set) {
    const auto text = source.text;
    const auto begin = source.at(set.value.at);
    if (!source.is_header(begin)) {
        return std::nullopt;
    }
    const auto first = line_begin(text, begin);
    const auto end = next_line(text, source.end_of(set.value));
    for (auto line = first; line < end; line = next_line(text, line)) {
        if (text.substr(line + indent_of(text, line).size()).starts_with('#')) {
            return std::nullopt;  // somebody's words
        }
    }
    auto from = first;
    if (from > 0) {
        const auto before = line_begin(text, from - 1);
        from = line_end(text, before) == before ? before : from;
    }
    return std::string(text.substr(0, from)) + std::string(text.substr(end));
}

void offer_without(const Source& source,
                   const Node& values,
                   std::size_t index,
                   Candidates& candidates) {
    const auto text = source.text;
    const auto at = source.at(values.at);
    if (at < text.size() && text[at] == '[') {
        const auto list = read_list(text, at);
        if (index < list.items.size()) {
            candidates.offer(without_item(text, list, index));
        }
    }
    // [[exclusions.ci.processes]]
    const auto& item = values.as<Items>()->at(index);
    const auto header = source.at(item.at);
    if (source.is_header(header)) {
        const auto from = line_begin(text, header);
        candidates.offer(std::string(text.substr(0, from)) +
                         std::string(text.substr(next_line(text, source.end_of(item)))));
    }
}

}  // namespace

std::string_view word_for(RuleKind kind) noexcept {
    return row_of(kind).word;
}

std::optional<RuleKind> rule_kind(std::string_view word) noexcept {
    const auto* const found = std::ranges::find(kKinds, word, &KindOfRule::word);
    return found == kKinds.end() ? std::nullopt : std::optional(found->kind);
}

Edited add_exclusion(std::string_view text,
                   const ExclusionAddition& wanted,
                   std::chrono::sys_days today) {
    const auto addition = checked(wanted, today);
    if (!addition) {
        return std::unexpected(addition.error());
    }
    const auto source = read_source(text);
    if (!source) {
        return std::unexpected(source.error());
    }
    Policy after = *source->policy;
    auto set = std::ranges::find(after.exclusions, addition->set, &ExclusionSet::name);
    const bool fresh = set == after.exclusions.end();
    if (fresh && addition->reason.empty()) {
        return refuse(Kind::Invalid,
                      fmt::format("set {} is new: it needs a reason", addition->set));
    }
    if (fresh) {
        set = after.exclusions.insert(
            set, {.name = addition->set, .reason = addition->reason, .expires = addition->expires});
    } else if (auto disagreement = disagrees(*set, *addition)) {
        return std::unexpected(*std::move(disagreement));
    }
    const auto& rule = addition->rule;
    if (const auto list = row_of(rule.kind).list; list != nullptr) {
        ((*set).*list).push_back(rule.value);
    } else {
        set->processes.push_back(
            {.path = rule.value, .user = rule.user, .children = rule.children});
    }
    Candidates candidates(after);
    if (const auto* member = source->set(addition->set)) {
        offer_for_set(*source, *member, rule, candidates);
    } else {
        offer_new_set(*source, *addition, candidates);
    }
    return outcome(candidates);
}

Edited remove_exclusion(std::string_view text, const std::string& name, const ExclusionRule& wanted) {
    const auto rule = checked(wanted);
    if (!rule) {
        return std::unexpected(rule.error());
    }
    const auto source = read_source(text);
    if (!source) {
        return std::unexpected(source.error());
    }
    Policy after = *source->policy;
    const auto set = std::ranges::find(after.exclusions, name, &ExclusionSet::name);
    const auto* member = source->set(name);
    if (set == after.exclusions.end() || member == nullptr) {
        return refuse(Kind::Unchanged, fmt::format("there is no set '{}'", printable(name)));
    }
    const auto index = index_of(*set, *rule);
    const auto* values = member->value.find(row_of(rule->kind).key);
    if (!index || values == nullptr) {
        return refuse(Kind::Unchanged, fmt::format("set {} has no such rule", name));
    }
    const auto at = static_cast<std::ptrdiff_t>(*index);
    if (const auto list = row_of(rule->kind).list; list != nullptr) {
        ((*set).*list).erase(((*set).*list).begin() + at);
    } else {
        set->processes.erase(set->processes.begin() + at);
    }
    if (is_empty(*set)) {
        Policy without = after;
        std::erase_if(without.exclusions, [&](const auto& one) { return one.name == name; });
        Candidates candidates(without);
        if (auto shorter = without_section(*source, *member);
            shorter && candidates.offer(*std::move(shorter))) {
            return outcome(candidates);
        }
    }
    Candidates candidates(after);
    offer_without(*source, values->value, *index, candidates);
    return outcome(candidates);
}

}  // namespace vigia::policy
