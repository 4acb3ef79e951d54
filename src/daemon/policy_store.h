// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/policy.h"
#include "policy/decide.h"
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

// Loads the policy file and keeps the last good one in force. Thread-safe.
class PolicyStore {
public:
    // No file at `file`: the built-in default.
    explicit PolicyStore(std::filesystem::path file);

    struct Reloaded {
        bool valid = false;
        std::vector<policy::Problem> problems;  // all of them, when not valid
        std::vector<std::string> differences;   // what changed, when valid
    };

    Reloaded reload();

    [[nodiscard]] PolicyPtr current() const;

    // Of the last reload.
    [[nodiscard]] std::vector<policy::Problem> problems() const;

    [[nodiscard]] const std::filesystem::path& file() const { return file_; }

private:
    const std::filesystem::path file_;
    mutable std::mutex mutex_;  // guards all below
    PolicyPtr current_;
    std::vector<policy::Problem> problems_;
};

}  // namespace vigia::daemon
