// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "base/result.h"

namespace vigia::scan {

// What fstat says of the content of a file. Equal states mean equal content if nobody could write
// at either moment and the first was settled, on a file system that tells the truth (hard-parts 2).
struct FileState {
    bool regular = false;
    std::uint64_t size = 0;
    std::int64_t ctime_ns = 0;
    std::int64_t mtime_ns = 0;

    bool operator==(const FileState&) const = default;
};

[[nodiscard]] Result<FileState> state_of(int file);

// Its ctime is older than two clock ticks: a change from now on gives another ctime.
[[nodiscard]] bool is_settled(const FileState& state);

}  // namespace vigia::scan
