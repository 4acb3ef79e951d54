// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/text.h"

namespace vigia::definitions {

struct Digest::Impl {
    std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> all{::EVP_MD_CTX_new(),
                                                                  &::EVP_MD_CTX_free};
    std::uint64_t length = 0;   // of the file so far

    void update(const void* data, std::size_t size) { ::EVP_DigestUpdate(all.get(), data, size); }

    // A length after each content and a terminator after each name: no two sets read the same.
    void end_file() {
        update(&length, sizeof length);
        length = 0;
    }
};

Digest::Digest() : impl_(std::make_unique<Impl>()) {
    ::EVP_DigestInit_ex(impl_->all.get(), ::EVP_sha256(), nullptr);
}

Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::begin_file(std::string_view name) {
    impl_->end_file();
    impl_->update(name.data(), name.size());
    impl_->update("", 1);
}

void Digest::add(std::string_view bytes) {
    impl_->length += bytes.size();
    impl_->update(bytes.data(), bytes.size());
}

std::string Digest::finish() {
    constexpr std::size_t kBytes = 8;
    impl_->end_file();
    std::array<std::byte, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    ::EVP_DigestFinal_ex(
        impl_->all.get(), reinterpret_cast<unsigned char*>(digest.data()), &size);
    return to_hex(std::span(digest).first(kBytes));
}

}  // namespace vigia::definitions
