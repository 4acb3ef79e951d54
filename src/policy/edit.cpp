// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "base/text.h"
#include "policy/edit_rules.h"
#include "policy/literals.h"
#include "policy/policy_file.h"
#include "policy/source_text.h"

namespace vigia::policy {
namespace {

using Kind = EditRefusal::Kind;
using Edited = std::expected<std::string, EditRefusal>;
using edits::checked;
using edits::index_of;
using edits::is_empty;
using edits::key_of;
using edits::refuse;
using edits::value_text;

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
           fmt::format("{} = [{}]", key_of(addition.rule.kind), value_text(addition.rule));
}

std::string inline_set_of(const ExclusionAddition& addition) {
    auto text = fmt::format("{} = {{ reason = {}", addition.set, toml_string(addition.reason));
    if (addition.expires) {
        text += ", expires = " + date_text(*addition.expires);
    }
    return text +
           fmt::format(", {} = [{}] }}", key_of(addition.rule.kind), value_text(addition.rule));
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
    const auto line = fmt::format("{} = [{}]", key_of(rule.kind), value_text(rule));
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
    const auto key = key_of(rule.kind);
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
    edits::append(*set, rule);
    Candidates candidates(after);
    if (const auto* member = source->set(addition->set)) {
        offer_for_set(*source, *member, rule, candidates);
    } else {
        offer_new_set(*source, *addition, candidates);
    }
    return outcome(candidates);
}

Edited remove_exclusion(std::string_view text,
                        const std::string& name,
                        const ExclusionRule& wanted) {
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
    const auto* values = member->value.find(key_of(rule->kind));
    if (!index || values == nullptr) {
        return refuse(Kind::Unchanged, fmt::format("set {} has no such rule", name));
    }
    edits::erase(*set, *rule, *index);
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
