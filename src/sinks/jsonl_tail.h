// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace vigia::sinks {

// The last complete event of a JSONL file.
struct JsonlTail {
    bool found = false;
    std::string epoch;
    std::uint64_t sequence = 0;
    std::uint64_t end = 0;     // offset behind its newline; what follows is torn or foreign
    std::uint64_t size = 0;    // of the file
    bool has_newline = false;  // in the part that was looked at
};

// Reads backwards from the end, at most 16 MiB. `file` open for reading, regular.
[[nodiscard]] Result<JsonlTail> read_jsonl_tail(int file);

}  // namespace vigia::sinks
