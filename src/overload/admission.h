// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace vigia::overload {

// A change of a file that has just been heard of.
struct Arrival {
    bool bulk = false;           // nothing that is likely to be run
    bool still_written = false;  // not closed yet: will be heard of again
    bool folder = false;         // one that moved in: a walk, not a scan
    double fill = 0;             // of the queue of scans, 0 to 1
};

// May it be judged after the storm? Executables and scripts are judged at once at every level, as
// long as there are not so many of them that they are the storm themselves. Pure.
[[nodiscard]] constexpr bool can_wait(unsigned level, const Arrival& arrival) {
    constexpr double kMostOfCritical = 0.5;
    if (level == 0 || arrival.folder) {
        return false;
    }
    return arrival.bulk ||
           (level >= 2 && (arrival.still_written || arrival.fill >= kMostOfCritical));
}

}  // namespace vigia::overload
