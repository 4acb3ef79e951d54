// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "model/sha256.h"

namespace vigia {

enum class QuarantineState : std::uint8_t {
    Storing,      // intent written; content may be on its way into the vault
    Removing,     // content durable in the vault; names are being taken away
    Quarantined,  // done
    Restored,
    Deleted,
};

// What the vault keeps about one object, enough to bring all of it back.
struct QuarantineItem {
    std::string id;  // UUID; also the name in the vault
    QuarantineState state = QuarantineState::Storing;
    std::string path;  // the name it was taken from; bytes
    Sha256 sha256;
    std::uint64_t size = 0;
    std::string threat;
    std::uint32_t mode = 0;  // with the type bits
    uid_t uid = 0;
    gid_t gid = 0;
    std::int64_t atime_ns = 0;
    std::int64_t mtime_ns = 0;
    std::vector<std::pair<std::string, std::string>> xattrs = {};  // bytes
    std::vector<std::string> names_removed = {};
    std::vector<std::string> names_left = {};
    std::string outcome = {};        // stable word, see response/quarantine.h
    std::string detection_uid = {};  // correlation of its events
    WallTime quarantined_at{};

    // The object itself, so that what a kill interrupted can be finished (hard-parts 18). For the
    // journal and the vault only; nothing that people are shown.
    std::uint32_t fs0 = 0;  // statfs f_fsid
    std::uint32_t fs1 = 0;
    std::int32_t object_handle_type = 0;  // name_to_handle_at
    std::string object_handle = {};       // bytes; empty where the file system gives none
    std::uint64_t inode = 0;
    std::uint64_t links = 0;  // names it had at the start
    std::string taking = {};  // the name that is being taken away; bytes
};

}  // namespace vigia
