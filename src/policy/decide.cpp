// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/decide.h"

#include <fmt/format.h>

namespace vigia::policy {
namespace {

Decision decide_infected(const Policy& policy,
                         const Exclusions& exclusions,
                         const Verdict& verdict,
                         WallTime now) {
    if (plain_threat_name(verdict.threat) == kCanaryThreat) {
        return {.action = Action::Report, .why = "canary of the self-test"};
    }
    if (auto match = exclusions.match_threat(verdict.threat, now); match.excluded) {
        return {.action = Action::Report,
                .why = fmt::format("threat excluded by set {}", match.set),
                .exclusion = std::move(match)};
    }
    switch (policy.files.mode) {
        case FileMode::Audit:
            return {.action = Action::Report, .why = "policy mode audit"};
        case FileMode::Quarantine:
            return {.action = Action::Quarantine, .why = "policy mode quarantine"};
    }
    return {};
}

}  // namespace

Decision decide(const Policy& policy,
                const Exclusions& exclusions,
                const Verdict& verdict,
                WallTime now) {
    switch (verdict.kind) {
        case VerdictKind::Clean:
            return {.action = Action::None, .why = "clean"};
        case VerdictKind::Infected:
            return decide_infected(policy, exclusions, verdict, now);
        case VerdictKind::Unscannable:
            return {.action = Action::Report, .why = "unscannable: " + verdict.reason};
        case VerdictKind::Failed:
            return {.action = Action::None, .why = "not judged: " + verdict.reason};
    }
    return {};
}

std::string_view plain_threat_name(std::string_view threat) noexcept {
    constexpr std::string_view kUnsigned = ".UNOFFICIAL";
    if (threat.ends_with(kUnsigned)) {
        threat.remove_suffix(kUnsigned.size());
    }
    return threat;
}

}  // namespace vigia::policy
