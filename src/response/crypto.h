// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"

struct evp_cipher_ctx_st;

namespace vigia::response {

// Key and first counter block of one item. Random, and stored beside the content: they make it
// inert and unreadable to a second scanner, they do not hide it from root.
struct Secret {
    std::array<std::byte, 32> key{};
    std::array<std::byte, 16> counter{};

    [[nodiscard]] static Result<Secret> random();

    bool operator==(const Secret&) const = default;
};

// AES-256 in counter mode: the same call encrypts and decrypts, any length, in order. Integrity is
// the business of the SHA-256 of the content. Not thread-safe; movable.
class Cipher {
public:
    [[nodiscard]] static Result<Cipher> create(const Secret& secret);

    [[nodiscard]] Result<> apply(std::span<std::byte> bytes);

private:
    struct Free {
        void operator()(evp_cipher_ctx_st* context) const noexcept;
    };

    using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;

    explicit Cipher(Context context) noexcept : context_(std::move(context)) {}

    Context context_;
};

}  // namespace vigia::response
