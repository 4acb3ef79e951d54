// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vigia {

// What the processes of one program, run by one user, cost us of late.
struct ProgramLoad {
    std::string path;  // of the executable; empty: nobody knows
    std::string user = {};
    unsigned processes = 0;                // seen of late
    double events_per_second = 0;          // offered: told, filtered and lost alike
    std::uint64_t scans = 0;               // files of its doing that were judged by the engine
    double scan_seconds = 0;               // of workers, for these
    double share = 0;                      // of the load of all, 0 to 1
    std::vector<std::string> writes = {};  // folders that it writes to most, most first
    std::string exclusion = {};            // the command that leaves it out; empty: none would help
    std::string warning = {};  // shell, interpreter, package-manager, world-writable; empty: none
};

}  // namespace vigia
