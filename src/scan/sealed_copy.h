// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::scan {

// The bytes of a file at one moment, in a memfd that nobody can change any more: hash and verdict
// are then of the same bytes (hard-parts 2).
struct SealedCopy {
    UniqueFd file;
    std::uint64_t size = 0;
};

// Nothing if the file has more than `limit` bytes now. Reads with pread.
[[nodiscard]] Result<std::optional<SealedCopy>> copy_sealed(int file, std::uint64_t limit);

}  // namespace vigia::scan
