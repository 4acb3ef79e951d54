// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "policy/nearest.h"

namespace vigia::policy {
namespace {

bool is_bare_key(std::string_view key) {
    return !key.empty() && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

}  // namespace

void Problems::add(Position at, std::string key, Complaint complaint) {
    if (found_.size() == kMaxProblems) {
        ++left_out_;
        return;
    }
    if (!complaint.suggestion.empty()) {
        complaint.message += fmt::format("; did you mean '{}'?", printable(complaint.suggestion));
    }
    found_.push_back({.file = file_,
                      .line = std::max(at.line, 1U),
                      .column = std::max(at.column, 1U),
                      .key = std::move(key),
                      .message = std::move(complaint.message),
                      .suggestion = std::move(complaint.suggestion)});
}

std::vector<Problem> Problems::take() {
    std::ranges::stable_sort(
        found_, {}, [](const Problem& problem) { return std::pair{problem.line, problem.column}; });
    if (left_out_ > 0) {
        const auto& last = found_.back();
        found_.push_back({.file = file_,
                          .line = last.line,
                          .column = last.column,
                          .key = {},
                          .message = fmt::format("{} further mistakes are not listed", left_out_)});
    }
    return std::move(found_);
}

Context Context::member(std::string_view key) const {
    Context inner(*problems_);
    inner.key_ = key_.empty() ? std::string{} : key_ + ".";
    inner.key_ += is_bare_key(key) ? std::string(key) : fmt::format("\"{}\"", printable(key));
    return inner;
}

Context Context::item(std::size_t index) const {
    Context inner(*problems_);
    inner.key_ = fmt::format("{}[{}]", key_, index + 1);
    return inner;
}

void Context::wrong(Position at, Complaint complaint) const {
    problems_->add(at, key_, std::move(complaint));
}

void Context::wrong_kind(const Node& node,
                         std::string_view expected,
                         std::string suggestion) const {
    wrong(node.at,
          {.message = fmt::format("expected {}, found {}", expected, kind_of(node)),
           .suggestion = std::move(suggestion)});
}

void Context::unknown_key(const Member& member, std::span<const std::string_view> known) const {
    const auto near = nearest(member.key, known);
    const bool table = member.value.as<Members>() != nullptr && key_.empty();
    auto message = fmt::format("unknown {}", table ? "section" : "key");
    if (near.empty()) {
        message += fmt::format("; known here: {}", one_of(known));
    }
    this->member(member.key)
        .wrong(member.at, {.message = std::move(message), .suggestion = std::string(near)});
}

void Context::unknown_value(const Node& node,
                            std::string_view found,
                            std::span<const std::string_view> known) const {
    wrong(node.at,
          {.message = fmt::format(
               "unknown value '{}'; expected {}", printable(found.substr(0, 64)), one_of(known)),
           .suggestion = std::string(nearest(found, known))});
}

}  // namespace vigia::policy
