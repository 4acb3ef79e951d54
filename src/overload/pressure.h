// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace vigia::overload {

// How hard it is to keep up, as measured since the last look. Shares are 0 to 1.
struct Pressure {
    double ring = 0;               // the fullest that a ring of the kernel was
    double queue = 0;              // of scans
    std::uint64_t overflows = 0;   // of fanotify's queue
    std::uint64_t lost = 0;        // events that a ring had no room for
    double events_per_second = 0;  // wanted by policy and excluded by nobody, at every level alike
    std::chrono::milliseconds oldest_scan{0};  // age; 0: none waits, or nobody could scan it
    double cpu = 0;                            // of the whole machine, by this process
    std::optional<double> stalled = {};  // share of time in which somebody waited for a processor
};

}  // namespace vigia::overload
