// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"

namespace vigia::daemon {

// Where an instance keeps its things (docs/API.md, "Programs and places"): the ordinary places, all
// of them under `prefix` when there is one.
struct Paths {
    std::filesystem::path policy;       // etc/vigia/policy.toml
    std::filesystem::path last_policy;  // var/lib/vigia/policy.last-good.toml
    std::filesystem::path state;        // var/lib/vigia
    std::filesystem::path definitions;  // … /definitions
    std::filesystem::path journal;      // … /journal.db
    std::filesystem::path cache;        // … /cache.db
    std::filesystem::path quarantine;   // … /quarantine
    std::filesystem::path logs;         // var/log/vigia
    std::filesystem::path events;       // … /events.jsonl
    std::filesystem::path run;          // run/vigia
    std::filesystem::path status_socket;
    std::filesystem::path control_socket;
    std::filesystem::path stand_in;  // … /definitions: while those of the state cannot be written
    std::filesystem::path pid_file;

    // `prefix` empty: the system's own. Made absolute.
    [[nodiscard]] static Paths under(const std::filesystem::path& prefix);

    // Makes what is missing, with the modes of the contract. A part of the
    // state that cannot be made on a read-only disk is no error here.
    [[nodiscard]] Result<> create() const;

    // Folders whose changes are our own doing.
    [[nodiscard]] std::vector<std::string> own_folders() const;
};

}  // namespace vigia::daemon
