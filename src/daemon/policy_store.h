// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/policy.h"
#include "policy/decide.h"
#include "policy/edit.h"
#include "policy/policy_file.h"

namespace vigia::daemon {

// What is in force. Immutable; swapped whole.
struct PolicyInForce {
    std::shared_ptr<const Policy> policy;
    policy::Exclusions exclusions;
    std::string source;  // file, or "built-in default"

    PolicyInForce(std::shared_ptr<const Policy> values, std::string from)
        : policy(std::move(values)), exclusions(policy), source(std::move(from)) {}
};

using PolicyPtr = std::shared_ptr<const PolicyInForce>;

// Loads the policy file and keeps the last good one in force, over a restart as well: what was
// accepted is copied to `last_good`. Thread-safe.
class PolicyStore {
public:
    // No file at `file`: the built-in default.
    PolicyStore(std::filesystem::path file, std::filesystem::path last_good);

    struct Reloaded {
        bool valid = false;
        std::vector<policy::Problem> problems;  // all of them, when not valid
        std::vector<std::string> differences;   // what changed, when valid
        std::string in_force;                   // when not valid: one sentence for people
    };

    Reloaded reload();

    // The file's text to its new text.
    using Edit =
        std::function<std::expected<std::string, policy::EditRefusal>(std::string_view text)>;

    // Replaces the file, whole or not at all, durably, with the same owner and mode (behind a
    // symbolic link: the file it leads to). Without a file the built-in default is what is
    // changed. Whoever else changes it at the same moment wins: EBUSY. Not in force yet.
    [[nodiscard]] Result<std::optional<policy::EditRefusal>> edit(const Edit& edit) const;

    [[nodiscard]] PolicyPtr current() const;

    // Of the last reload.
    [[nodiscard]] std::vector<policy::Problem> problems() const;

    [[nodiscard]] const std::filesystem::path& file() const { return file_; }

private:
    void accept(PolicyPtr next, Reloaded& result);
    void stay(Reloaded& result);

    const std::filesystem::path file_;
    const std::filesystem::path last_good_;
    mutable std::mutex mutex_;  // guards all below
    PolicyPtr current_;
    bool accepted_ = false;  // current_ comes from a file, or from there being none
    std::vector<policy::Problem> problems_;
};

}  // namespace vigia::daemon
