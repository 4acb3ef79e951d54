// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/sha256.h"

namespace vigia {

// An on-demand scan as `vigia scan` and /v1/scans show it.
struct ScanJob {
    std::string id;
    std::string state = "running";  // running, paused, completed, cancelled, failed
    std::vector<std::string> targets;
    WallTime started{};
    std::optional<WallTime> ended = {};
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t found = 0;  // files met so far by the walk: files / found is the progress
    bool walk_done = false;

    struct Detection {
        std::string path;
        std::string threat;
        std::string action;  // "quarantined", "reported", "failed: …"
        std::optional<Sha256> sha256 = {};
    };

    struct Problem {
        std::string path;
        std::string reason;
    };

    std::vector<Detection> detections = {};  // at most 10,000 kept; the counters go on
    std::vector<Problem> errors = {};
    std::vector<Problem> unscannable = {};
    std::uint64_t detections_total = 0;
    std::uint64_t errors_total = 0;
    std::uint64_t unscannable_total = 0;
};

}  // namespace vigia
