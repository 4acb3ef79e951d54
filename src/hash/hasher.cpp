// SPDX-License-Identifier: GPL-2.0-or-later
#include "hash/hasher.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace vigia::hash {
namespace {

constexpr std::size_t kBufferSize = std::size_t{256} << 10U;  // larger ones gain nothing (measured)

template <typename T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, decltype([](T* object) { Free(object); })>;

}  // namespace

struct Hasher::Digest {
    Owned<EVP_MD, ::EVP_MD_free> algorithm;
    Owned<EVP_MD_CTX, ::EVP_MD_CTX_free> context;
};

Hasher::Hasher(std::unique_ptr<Digest> digest) : digest_(std::move(digest)), buffer_(kBufferSize) {}

Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

Result<Hasher> Hasher::create() {
    auto digest = std::make_unique<Digest>();
    digest->algorithm.reset(::EVP_MD_fetch(nullptr, "SHA256", nullptr));
    digest->context.reset(::EVP_MD_CTX_new());
    if (!digest->algorithm || !digest->context) {
        return fail(std::errc::not_supported, "OpenSSL has no SHA-256");
    }
    Hasher hasher(std::move(digest));
    // Once through, so that nothing is left to be found late.
    (void)hasher.hash(-1);
    return hasher;
}

wire::HashDone Hasher::hash(int file) {
    wire::HashDone done;
    auto* context = digest_->context.get();
    bool ok = ::EVP_DigestInit_ex2(context, digest_->algorithm.get(), nullptr) == 1;
    while (ok) {
        const ssize_t got =
            ::pread(file, buffer_.data(), buffer_.size(), static_cast<off_t>(done.size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            done.error = errno;
            break;
        }
        if (got == 0) {
            break;
        }
        ok = ::EVP_DigestUpdate(context, buffer_.data(), static_cast<std::size_t>(got)) == 1;
        done.size += static_cast<std::uint64_t>(got);
    }
    auto* digest = reinterpret_cast<unsigned char*>(done.sha256.bytes.data());
    ok = ok && ::EVP_DigestFinal_ex(context, digest, nullptr) == 1;
    if (!ok && done.error == 0) {
        done.error = EIO;
    }
    if (done.error != 0) {
        done.sha256 = {};
    }
    return done;
}

}  // namespace vigia::hash
