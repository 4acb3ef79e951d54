// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "model/file_identity.h"

namespace vigia {

// How content arrived; a set, because the kernel merges events (hard-parts 1).
enum class FileChange : std::uint8_t {
    ClosedAfterWrite = 1U << 0U,
    Created = 1U << 1U,        // also a hard link or linkat of an unnamed file
    Modified = 1U << 2U,       // not closed yet
    MovedIn = 1U << 3U,        // renamed to a name inside
    FolderMovedIn = 1U << 4U,  // everything below it is new here: walk it
    Executed = 1U << 5U,
};

using FileChanges = std::uint8_t;

[[nodiscard]] constexpr bool has(FileChanges set, FileChange one) noexcept {
    return (set & static_cast<FileChanges>(one)) != 0;
}

// One file-system event as the sensor hands it on: already inside a watched folder.
struct FileActivity {
    ObjectId object;  // empty handle bytes: descriptor mode, `file` is set instead
    FileChanges changes = 0;
    std::string path_hint;  // where its name was when the event was read; a hint only
    pid_t pid = 0;          // who did it; 0 unknown
    BootTime read_at{};
    BootTime after{};    // it happened after this moment, surely; 0: nobody knows when
    UniqueFd file = {};  // descriptor mode (overlay): the object itself
};

}  // namespace vigia
