// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/file_identity.h"

namespace vigia::wire {

// A folder and a name in it, as a DFID_NAME record tells them.
struct FolderEntry {
    ObjectId folder;
    std::string_view name;  // bytes of the buffer that was parsed; empty: not told
};

// One event of a fanotify group (fanotify(7)): the metadata and its information records.
struct FanotifyRecord {
    std::uint64_t mask = 0;  // FAN_*
    std::int32_t pid = 0;
    int file = -1;                          // descriptor mode; it belongs to the caller
    std::optional<ObjectId> object;         // FID: the object itself
    std::optional<FolderEntry> entry;       // DFID_NAME or DFID: where it is
    std::optional<FolderEntry> moved_from;  // OLD_DFID_NAME
    std::optional<FolderEntry> moved_to;    // NEW_DFID_NAME
    bool malformed = false;                 // something did not parse; what did is there
};

// Takes the first event off `rest`; nothing if it is empty. A total function: whatever the bytes
// are, it ends, stays inside, and makes `rest` shorter. Lengths that lie give `malformed`; a length
// that leads nowhere takes all of `rest`.
[[nodiscard]] std::optional<FanotifyRecord> take_fanotify_record(std::span<const std::byte>& rest);

}  // namespace vigia::wire
