// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace vigia::daemon {

// Asks vigia-heal, the one-shot helper with a closed table of repairs (hard-parts 13), for one of
// them. Under systemd it runs as a unit of its own, because the daemon's own capabilities do not
// suffice; else as a child.
struct HealOrder {
    std::filesystem::path programs;  // folder of vigia-heal
    std::string verb;
    std::filesystem::path prefix = {};  // empty: the system's own places
    std::chrono::seconds patience{30};
};

// Blocks for at most `patience`. Empty: done; else what went wrong, one line.
[[nodiscard]] std::string heal(const HealOrder& order);

}  // namespace vigia::daemon
