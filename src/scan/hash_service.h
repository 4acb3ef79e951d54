// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "model/sha256.h"

namespace vigia::scan {

// The daemon's side of vigia-hash: a sandboxed child that only hashes (hard-parts 5). Restarted
// when it dies or is late. Thread-safe; callers are served in turn by `children` children.
class HashService {
public:
    [[nodiscard]] static Result<std::unique_ptr<HashService>> start(std::filesystem::path program,
                                                                    unsigned children);
    virtual ~HashService() = default;

    struct Digest {
        Sha256 sha256;
        std::uint64_t size = 0;  // bytes hashed, from offset 0 to the end
    };

    // Reads with pread; the descriptor's position is left alone.
    [[nodiscard]] virtual Result<Digest> hash(int file, std::chrono::milliseconds timeout) = 0;
};

}  // namespace vigia::scan
