// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "model/quarantine.h"
#include "response/crypto.h"
#include "wire/digest.h"

// The bytes of one item in the vault:
//   "VIGIAQ01" · u32 length of the header · SHA-256 of the header · header (JSON)
//   then chunks: u32 length, its top bit set when the chunk is all zeros and has no bytes here
//   (holes stay holes); else that many bytes encrypted with the key of the header, until `size`.
// Integers are little-endian. All foreign bytes in the header are base64: nothing of the content or
// of its name stands in the file as it is, so that a second scanner finds nothing.
namespace vigia::response {

struct VaultHeader {
    QuarantineItem item;
    Secret secret;
};

inline constexpr std::size_t kVaultChunk = std::size_t{256} * 1024;

using Writer = std::function<Result<>(std::string_view)>;

[[nodiscard]] Result<> write_header(const VaultHeader& header, const Writer& write);

// From the start of the file; leaves the descriptor at the first chunk. Whatever is wrong with it
// is EBADMSG.
[[nodiscard]] Result<VaultHeader> read_header(int fd);

// Encrypts `size` bytes, chunk by chunk, and hashes them. Memory: one chunk.
class ContentWriter {
public:
    [[nodiscard]] static Result<ContentWriter> create(const Secret& secret);

    // Encrypts in place.
    [[nodiscard]] Result<> add(std::span<std::byte> chunk, const Writer& write);

    [[nodiscard]] Result<Sha256> finish() { return digest_.finish(); }

private:
    ContentWriter(wire::Digest digest, Cipher cipher)
        : digest_(std::move(digest)), cipher_(std::move(cipher)) {}

    wire::Digest digest_;
    Cipher cipher_;
};

// One piece of the content, in order.
struct Piece {
    std::span<const std::byte> bytes;
    bool zeros = false;  // all of them are zero
};

using PieceSink = std::function<Result<>(const Piece&)>;

// Decrypts what follows the header into `sink`. EBADMSG unless the content is whole and has the
// header's SHA-256, which is known only at the end: nothing may be used before.
[[nodiscard]] Result<> read_content(int fd, const VaultHeader& header, const PieceSink& sink);

}  // namespace vigia::response
