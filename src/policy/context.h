// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_file.h"
#include "policy/tree.h"
#include "policy/values.h"

namespace vigia::policy {

// The mistakes found so far, at most kMaxProblems of them; the rest is counted.
class Problems {
public:
    static constexpr std::size_t kMaxProblems = 1000;

    explicit Problems(std::string file) : file_(std::move(file)) {}

    void add(Position at, std::string key, Complaint complaint);

    [[nodiscard]] bool empty() const noexcept { return found_.empty(); }

    // In the order of the file.
    [[nodiscard]] std::vector<Problem> take();

private:
    std::string file_;
    std::vector<Problem> found_;
    std::size_t left_out_ = 0;
};

// Where the reader is: the key path, and where mistakes go. Cheap to derive, never outlives
// Problems.
class Context {
public:
    explicit Context(Problems& problems) : problems_(&problems) {}

    [[nodiscard]] Context member(std::string_view key) const;
    [[nodiscard]] Context item(std::size_t index) const;

    void wrong(Position at, Complaint complaint) const;
    void wrong_kind(const Node& node, std::string_view expected, std::string suggestion = {}) const;
    void unknown_key(const Member& member, std::span<const std::string_view> known) const;
    void unknown_value(const Node& node,
                       std::string_view found,
                       std::span<const std::string_view> known) const;

private:
    Problems* problems_;
    std::string key_;
};

}  // namespace vigia::policy
