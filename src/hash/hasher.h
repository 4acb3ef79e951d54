// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "wire/scan_protocol.h"

namespace vigia::hash {

// SHA-256 of whole files, by OpenSSL. Not thread-safe.
class Hasher {
public:
    // Everything that OpenSSL opens late is opened here, before the sandbox.
    [[nodiscard]] static Result<Hasher> create();

    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;
    Hasher(const Hasher&) = delete;
    Hasher& operator=(const Hasher&) = delete;
    ~Hasher();

    // From offset 0 to the end, wherever that is when it gets there; the position is left alone.
    // What cannot be read is an errno in the answer. The id is left to the caller.
    [[nodiscard]] wire::HashDone hash(int file);

private:
    struct Digest;
    explicit Hasher(std::unique_ptr<Digest> digest);

    std::unique_ptr<Digest> digest_;
    std::vector<std::byte> buffer_;
};

}  // namespace vigia::hash
