// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "model/event.h"
#include "model/evidence.h"

namespace vigia {

// One fault from Raised to Cleared, as the journal keeps it. It outlives the daemon: what is open
// there goes on, under the same UUID, after a restart.
struct Episode {
    int id = 0;
    std::string key;
    Uuid episode = Uuid::random();
    Severity severity = Severity::Major;
    std::string cause;
    Evidence evidence = {};  // members, keys fixed per cause (health/faults/)
    WallTime raised_at{};
    WallTime updated_at{};                    // of the last change of severity or cause
    std::optional<WallTime> cleared_at = {};  // nothing: it is raised
    std::string cleared_because = {};         // condition-gone, healed, not-wanted-by-policy
    bool flapping = false;                    // stays raised until it has been quiet for a while
    bool recovered = false;                   // told again after the journal was replaced
    unsigned heal_attempts = 0;
    std::string heal_last_result = {};
};

// A fault as it is shown: in the words of one language, with the commands of this host.
struct FaultReport {
    struct Step {
        std::string text;
        std::string command = {};  // to copy and paste; empty: none
    };

    int id = 0;
    std::string key;
    Severity severity = Severity::Major;
    std::string title;
    std::string cause;
    std::string description;
    Evidence evidence;
    std::string lost_capability;
    std::vector<Step> remedy;
    std::string episode = {};  // empty: not raised (doctor)
    std::optional<WallTime> raised_at = {};
    std::optional<WallTime> updated_at = {};
    bool flapping = false;
    unsigned heal_attempts = 0;
    std::string heal_last_result = {};
};

}  // namespace vigia
