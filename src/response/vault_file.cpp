// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/vault_file.h"

#include <endian.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "response/vault_header_json.h"

namespace vigia::response {
namespace {

constexpr std::string_view kMagic = "VIGIAQ01";
constexpr std::uint32_t kZeros = 1U << 31U;
// The attributes (kMaxAttributeBytes, as base64), the path, and room to spare.
constexpr std::size_t kMaxHeader = std::size_t{1} << 20U;

std::unexpected<Error> damaged(std::string what) {
    return fail(std::errc::bad_message, "the vault's copy is damaged: " + std::move(what));
}

std::string encode(std::uint32_t value) {
    value = htole32(value);
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

Result<> read_exactly(int fd, std::span<std::byte> into) {
    while (!into.empty()) {
        const ssize_t got = ::read(fd, into.data(), into.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno("read the vault");
        }
        if (got == 0) {
            return damaged("it ends too early");
        }
        into = into.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

Result<std::uint32_t> read_number(int fd) {
    std::uint32_t value = 0;
    TRY(read_exactly(fd, std::as_writable_bytes(std::span(&value, 1))));
    return le32toh(value);
}

bool is_all_zeros(std::span<const std::byte> bytes) {
    // Equal to itself one byte further on: all bytes are the first one. At the speed of memcmp.
    return !bytes.empty() && bytes[0] == std::byte{0} &&
           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<std::string> read_header_text(int fd) {
    std::array<std::byte, kMagic.size()> magic{};
    Sha256 wanted;
    TRY(read_exactly(fd, magic));
    const auto size = TRY(read_number(fd));
    TRY(read_exactly(fd, wanted.bytes));
    if (as_text(magic) != kMagic || size > kMaxHeader) {
        return damaged("it is no vault file of this version");
    }
    std::string json(size, '\0');
    TRY(read_exactly(fd, std::as_writable_bytes(std::span(json))));
    if (TRY(wire::sha256_of(std::as_bytes(std::span(json)))) != wanted) {
        return damaged("its header is not what was written");
    }
    return json;
}

// The next chunk, decrypted into the front of `buffer`.
Result<Piece> decrypt_piece(int fd, Cipher& cipher, std::span<std::byte> buffer) {
    const auto head = TRY(read_number(fd));
    const std::size_t size = head & ~kZeros;
    if (size == 0 || size > buffer.size()) {
        return damaged("a chunk has an impossible length");
    }
    const auto bytes = buffer.first(size);
    const bool zeros = (head & kZeros) != 0;
    if (zeros) {
        std::ranges::fill(bytes, std::byte{0});
        return Piece{.bytes = bytes, .zeros = true};
    }
    TRY(read_exactly(fd, bytes));
    TRY(cipher.apply(bytes));
    return Piece{.bytes = bytes};
}

Result<Piece> read_piece(int fd,
                         Cipher& cipher,
                         wire::Digest& digest,
                         std::span<std::byte> buffer) {
    const auto piece = TRY(decrypt_piece(fd, cipher, buffer));
    TRY(digest.update(piece.bytes));
    return piece;
}

}  // namespace

Result<> write_header(const VaultHeader& header, const Writer& write) {
    const std::string json = header_to_json(header);
    if (json.size() > kMaxHeader) {
        return fail(std::errc::file_too_large, "header of the vault file");
    }
    const auto digest = TRY(wire::sha256_of(std::as_bytes(std::span(json))));
    return write(std::string(kMagic) + encode(static_cast<std::uint32_t>(json.size())) +
                 std::string(as_text(digest.bytes)) + json);
}

Result<VaultHeader> read_header(int fd) {
    if (::lseek(fd, 0, SEEK_SET) < 0) {
        return fail_errno("seek in the vault");
    }
    const auto json = TRY(read_header_text(fd));
    auto header = header_from_json(json);
    return header ? Result<VaultHeader>(*std::move(header)) : damaged("its header cannot be read");
}

Result<ContentWriter> ContentWriter::create(const Secret& secret) {
    return ContentWriter(TRY(wire::Digest::create()), TRY(Cipher::create(secret)));
}

Result<> ContentWriter::add(std::span<std::byte> chunk, const Writer& write) {
    TRY(digest_.update(chunk));
    const auto size = static_cast<std::uint32_t>(chunk.size());
    if (is_all_zeros(chunk)) {
        return write(encode(size | kZeros));
    }
    TRY(cipher_.apply(chunk));
    TRY(write(encode(size)));
    return write(as_text(chunk));
}

Result<> read_content(int fd, const VaultHeader& header, const PieceSink& sink) {
    auto digest = TRY(wire::Digest::create());
    auto cipher = TRY(Cipher::create(header.secret));
    std::vector<std::byte> buffer(kVaultChunk);
    for (std::uint64_t left = header.item.size; left > 0;) {
        const auto limit = std::min<std::uint64_t>(buffer.size(), left);
        const auto piece = TRY(read_piece(fd, cipher, digest, std::span(buffer).first(limit)));
        TRY(sink(piece));
        left -= piece.bytes.size();
    }
    if (TRY(digest.finish()) != header.item.sha256) {
        return damaged("its content has another SHA-256");
    }
    return {};
}

}  // namespace vigia::response
