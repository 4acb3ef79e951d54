// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "base/result.h"
#include "model/sha256.h"

struct evp_md_ctx_st;

namespace vigia::wire {

// SHA-256 of bytes as they come. Not thread-safe; movable.
class Digest {
public:
    [[nodiscard]] static Result<Digest> create();

    [[nodiscard]] Result<> update(std::span<const std::byte> bytes);

    // Ends it: nothing may be added afterwards.
    [[nodiscard]] Result<Sha256> finish();

private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const noexcept;
    };

    using Context = std::unique_ptr<evp_md_ctx_st, Free>;

    explicit Digest(Context context) noexcept : context_(std::move(context)) {}

    Context context_;
};

[[nodiscard]] Result<Sha256> sha256_of(std::span<const std::byte> bytes);

inline constexpr std::uint64_t kAnySize = std::numeric_limits<std::uint64_t>::max();

// The whole of a regular file from offset 0, whatever its position; EFBIG beyond `limit` bytes.
[[nodiscard]] Result<> add_file(Digest& digest, int file, std::uint64_t limit = kAnySize);
[[nodiscard]] Result<Sha256> sha256_of_file(int file, std::uint64_t limit = kAnySize);

}  // namespace vigia::wire
