// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "wire/digest.h"

namespace vigia::definitions {
namespace {

Result<> add(wire::Digest& digest, std::string_view text) {
    return digest.update(std::as_bytes(std::span(text)));
}

// Of fixed length, so that no two lists of fields give the same bytes.
Result<> add(wire::Digest& digest, std::uint64_t number) {
    return digest.update(std::as_bytes(std::span(&number, 1)));
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

Result<> add_file(wire::Digest& digest, int folder, const std::string& name) {
    const auto file = TRY(open_plain(folder, name));
    TRY(add(digest, name.size()));
    TRY(add(digest, name));
    TRY(add(digest, file.size));
    return wire::add_file(digest, file.descriptor.get());
}

}  // namespace

struct CloseFolder {
    void operator()(DIR* open) const { ::closedir(open); }
};

Result<std::vector<std::string>> names_in(int folder, std::size_t limit) {
    // A description of its own: the position of the caller's stays where it is.
    auto own = TRY(open_at(folder, ".", O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, CloseFolder> stream(::fdopendir(own.get()));
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
    return TRY(wire::sha256_of_file(file.descriptor.get()), "digest of " + printable(name));
}

Result<Sha256> digest_of_folder(int folder) {
    auto digest = TRY(wire::Digest::create());
    const auto names = TRY(names_in(folder, kMaxFiles));
    for (const auto& name : names) {
        TRY(add_file(digest, folder, name), "digest");
    }
    return digest.finish();
}

}  // namespace vigia::definitions
