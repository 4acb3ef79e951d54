// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/digest.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace vigia::wire {

void Digest::Free::operator()(evp_md_ctx_st* context) const noexcept {
    EVP_MD_CTX_free(context);
}

Result<Digest> Digest::create() {
    Context context(EVP_MD_CTX_new());
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
        return fail(std::errc::not_enough_memory, "start SHA-256");
    }
    return Digest(std::move(context));
}

Result<> Digest::update(std::span<const std::byte> bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) {
        return fail(std::errc::io_error, "SHA-256");
    }
    return {};
}

Result<Sha256> Digest::finish() {
    Sha256 digest;
    if (EVP_DigestFinal_ex(
            context_.get(), reinterpret_cast<unsigned char*>(digest.bytes.data()), nullptr) != 1) {
        return fail(std::errc::io_error, "end SHA-256");
    }
    return digest;
}

Result<Sha256> sha256_of(std::span<const std::byte> bytes) {
    auto digest = TRY(Digest::create());
    TRY(digest.update(bytes));
    return digest.finish();
}

Result<> add_file(Digest& digest, int file, std::uint64_t limit) {
    constexpr std::size_t kAtOnce = std::size_t{256} << 10U;
    std::vector<std::byte> buffer(kAtOnce);
    std::uint64_t size = 0;
    while (true) {
        const ssize_t got = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno("read");
        }
        if (got == 0) {
            return {};
        }
        size += static_cast<std::uint64_t>(got);
        if (size > limit) {
            return fail(std::errc::file_too_large, "read");
        }
        TRY(digest.update(std::span(buffer).first(static_cast<std::size_t>(got))));
    }
}

Result<Sha256> sha256_of_file(int file, std::uint64_t limit) {
    auto digest = TRY(Digest::create());
    TRY(add_file(digest, file, limit));
    return digest.finish();
}

}  // namespace vigia::wire
