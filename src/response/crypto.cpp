// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/crypto.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <climits>

namespace vigia::response {
namespace {

unsigned char* raw(std::span<std::byte> bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

const unsigned char* raw(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

Result<Secret> Secret::random() {
    Secret secret;
    if (RAND_bytes(raw(std::span<std::byte>(secret.key)), static_cast<int>(secret.key.size())) !=
            1 ||
        RAND_bytes(raw(std::span<std::byte>(secret.counter)),
                   static_cast<int>(secret.counter.size())) != 1) {
        return fail(std::errc::io_error, "make a random key");
    }
    return secret;
}

void Cipher::Free::operator()(evp_cipher_ctx_st* context) const noexcept {
    EVP_CIPHER_CTX_free(context);
}

Result<Cipher> Cipher::create(const Secret& secret) {
    Context context(EVP_CIPHER_CTX_new());
    const auto* key = raw(std::span<const std::byte>(secret.key));
    const auto* counter = raw(std::span<const std::byte>(secret.counter));
    if (!context ||
        EVP_EncryptInit_ex(context.get(), EVP_aes_256_ctr(), nullptr, key, counter) != 1) {
        return fail(std::errc::not_enough_memory, "start AES-256-CTR");
    }
    return Cipher(std::move(context));
}

Result<> Cipher::apply(std::span<std::byte> bytes) {
    int written = 0;
    if (bytes.size() > INT_MAX || EVP_EncryptUpdate(context_.get(),
                                                    raw(bytes),
                                                    &written,
                                                    raw(std::span<const std::byte>(bytes)),
                                                    static_cast<int>(bytes.size())) != 1) {
        return fail(std::errc::io_error, "AES-256-CTR");
    }
    return {};
}

}  // namespace vigia::response
