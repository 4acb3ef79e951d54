// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/policy.h"
#include "model/verdict.h"

namespace vigia::policy {

// Which rule leaves something out, and why.
struct ExclusionMatch {
    bool excluded = false;
    std::string set;   // "ci"
    std::string rule;  // "path /srv/ci/cache"
    std::string why;   // the set's reason
};

struct ProcessFacts {
    std::string_view program = {};  // path; empty: unknown
    std::string_view user = {};
    bool ancestor_matches_children_rule = false;
};

// "process /usr/bin/make, user ci": how a match calls a rule for a process.
[[nodiscard]] std::string rule_text(const ProcessExclusion& rule);

// Compiled exclusions of a policy: matching allocates nothing (a match found copies its names) and
// is safe on any thread.
class Exclusions {
public:
    explicit Exclusions(std::shared_ptr<const Policy> policy);
    Exclusions(const Exclusions&) = delete;
    Exclusions& operator=(const Exclusions&) = delete;
    Exclusions(Exclusions&&) noexcept;
    Exclusions& operator=(Exclusions&&) noexcept;
    ~Exclusions();

    // `path` bytes, absolute. Sets that have expired do not match.
    // A file that match_path() leaves out; allocates nothing even then (no names are copied).
    [[nodiscard]] bool excludes_path(std::string_view path, WallTime now) const noexcept;

    [[nodiscard]] ExclusionMatch match_path(std::string_view path, WallTime now) const;
    [[nodiscard]] ExclusionMatch match_process(const ProcessFacts& process, WallTime now) const;
    // The rule with `children` that this one, an ancestor, is named in.
    [[nodiscard]] ExclusionMatch match_child_of(const ProcessFacts& ancestor, WallTime now) const;
    [[nodiscard]] ExclusionMatch match_threat(std::string_view threat, WallTime now) const;

    // There is any, in force or not.
    [[nodiscard]] bool has_processes() const noexcept;

    // Folder rules in force, for the sensor.
    [[nodiscard]] std::vector<std::string> folders(WallTime now) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

enum class Action : std::uint8_t { None, Report, Quarantine };

struct Decision {
    Action action = Action::None;
    std::string why;                // "policy mode audit", "threat excluded by set ci", …
    ExclusionMatch exclusion = {};  // the threat's, when it is why
};

// What a verdict about a watched file leads to. Pure. The canary is reported, never put away.
// An error is never a detection: Unscannable is reported as such, Failed leads to nothing (whoever
// asked counts it and asks again).
[[nodiscard]] Decision decide(const Policy& policy,
                              const Exclusions& exclusions,
                              const Verdict& verdict,
                              WallTime now);

// The name our canary signature gives (definitions/builtin.h writes it).
inline constexpr std::string_view kCanaryThreat = "Vigia.Canary";

// libclamav adds ".UNOFFICIAL" to what is not signed; names are compared without it.
[[nodiscard]] std::string_view plain_threat_name(std::string_view threat) noexcept;

}  // namespace vigia::policy
