// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "host/parse.h"
#include "model/host/security.h"

namespace vigia::host {

// The rule that the seed document asks for: allow DOMAIN self:bpf { … }.
inline constexpr std::array<const char*, 5> kBpfPermissions{
    "map_create", "map_read", "map_write", "prog_load", "prog_run"};

struct PolicyDecision {
    SelinuxBpfRule rule = {};
    std::string context = {};  // the one of those asked that the policy knows
};

// What a policy does with classes that it does not know, from its header.
[[nodiscard]] Parsed<bool> parse_allows_unknown(std::string_view policy);

// Asks a binary policy, in a child with a deadline, for the first of `contexts` that it knows; with
// or without a level, as the policy has it. The policy is hostile: what it does to libsepol is done
// to the child. Any thread; forks.
[[nodiscard]] Parsed<PolicyDecision> ask_policy_file(const UniqueFd& policy,
                                                     const std::vector<std::string>& contexts,
                                                     std::chrono::milliseconds deadline);

// Asks the running kernel. Nothing: none of the contexts is valid there.
[[nodiscard]] Parsed<PolicyDecision> ask_kernel(const std::vector<std::string>& contexts);

// Where systemd's process 1 would end when it executes that program; nothing without SELinux.
[[nodiscard]] std::optional<std::string> domain_of_program(const std::string& path);

}  // namespace vigia::host
