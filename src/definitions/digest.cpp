// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace vigia::definitions {
namespace {

class Hasher {
public:
    Hasher()
        : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free),
          good_(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1) {}

    void add(std::span<const std::byte> bytes) {
        good_ = good_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
    }

    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }

    // Of fixed length, so that no two lists of fields give the same bytes.
    void add(std::uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }

    [[nodiscard]] Result<Sha256> finish() {
        Sha256 digest;
        std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
        unsigned length = 0;
        if (!good_ || EVP_DigestFinal_ex(context_.get(), out.data(), &length) != 1 ||
            length != digest.bytes.size()) {
            return fail(std::errc::not_supported, "SHA-256 of the crypto library");
        }
        std::ranges::transform(std::span(out).first(length),
                               digest.bytes.begin(),
                               [](unsigned char byte) { return std::byte{byte}; });
        return digest;
    }

private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
    bool good_ = false;
};

Result<> add_content(Hasher& hasher, int file) {
    std::vector<std::byte> buffer(std::size_t{256} * 1024);
    while (true) {
        const ssize_t got = ::read(file, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno("read");
        }
        if (got == 0) {
            return {};
        }
        hasher.add(std::span(buffer).first(static_cast<std::size_t>(got)));
    }
}

struct PlainFile {
    UniqueFd descriptor;
    std::uint64_t size = 0;
};

Result<PlainFile> open_plain(int folder, const std::string& name) {
    auto file = TRY(open_at(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat info{};
    if (::fstat(file.get(), &info) < 0) {
        return fail_errno("stat " + printable(name));
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(std::errc::invalid_argument, printable(name) + " is not a plain file");
    }
    return PlainFile{.descriptor = std::move(file),
                     .size = static_cast<std::uint64_t>(info.st_size)};
}

Result<> add_file(Hasher& hasher, int folder, const std::string& name) {
    const auto file = TRY(open_plain(folder, name));
    hasher.add(name.size());
    hasher.add(name);
    hasher.add(file.size);
    return add_content(hasher, file.descriptor.get());
}

}  // namespace

Result<std::vector<std::string>> names_in(int folder, std::size_t limit) {
    // A description of its own: the position of the caller's stays where it is.
    auto own = TRY(open_at(folder, ".", O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, decltype([](DIR* open) { ::closedir(open); })> stream(
        ::fdopendir(own.get()));
    if (!stream) {
        return fail_errno("list the folder");
    }
    static_cast<void>(own.release());  // the stream's now
    std::vector<std::string> names;
    while (true) {
        errno = 0;
        const auto* entry = ::readdir(stream.get());  // NOLINT(concurrency-mt-unsafe): own stream
        if (entry == nullptr) {
            break;
        }
        const std::string_view name = static_cast<const char*>(entry->d_name);
        if (name == "." || name == "..") {
            continue;
        }
        if (names.size() == limit) {
            return fail(std::errc::value_too_large, fmt::format("more than {} entries", limit));
        }
        names.emplace_back(name);
    }
    if (errno != 0) {
        return fail_errno("list the folder");
    }
    std::ranges::sort(names);
    return names;
}

Result<Sha256> digest_of_file(int folder, const std::string& name) {
    const auto file = TRY(open_plain(folder, name), "digest");
    Hasher hasher;
    TRY(add_content(hasher, file.descriptor.get()), "digest of " + printable(name));
    return hasher.finish();
}

Result<Sha256> digest_of_folder(int folder) {
    Hasher hasher;
    const auto names = TRY(names_in(folder, kMaxFiles));
    for (const auto& name : names) {
        TRY(add_file(hasher, folder, name), "digest");
    }
    return hasher.finish();
}

}  // namespace vigia::definitions
