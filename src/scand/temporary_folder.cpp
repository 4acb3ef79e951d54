// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/temporary_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

#include "base/files.h"
#include "base/unique_fd.h"

namespace vigia::scand {
namespace {

using Listing = std::unique_ptr<DIR, decltype([](DIR* entries) { ::closedir(entries); })>;

Result<UniqueFd> open_folder(int at, const char* name) {
    return open_at(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// Removes what can be removed at once. Gives a folder inside that is not empty, if there is one.
Result<std::optional<std::string>> remove_entries(int folder) {
    auto copy = TRY(open_folder(folder, "."));
    const Listing entries{::fdopendir(copy.get())};
    if (!entries) {
        return fail_errno("list a temporary folder");
    }
    (void)copy.release();
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a listing of our own, one thread
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string_view name(entry->d_name);
        if (name == "." || name == ".." || ::unlinkat(folder, entry->d_name, 0) == 0 ||
            ::unlinkat(folder, entry->d_name, AT_REMOVEDIR) == 0) {
            continue;
        }
        if (errno != ENOTEMPTY && errno != EEXIST) {
            return fail_errno("remove a temporary file");
        }
        return std::string(name);
    }
    return std::nullopt;
}

}  // namespace

Result<> empty_folder(const std::string& path) {
    auto folder = TRY(open_folder(AT_FDCWD, path.c_str()));
    // Down into what is not empty, up again once it is: each way up removes a folder, each way down
    // enters one that exists, and nobody makes new ones.
    for (std::size_t depth = 0;;) {
        const auto deeper = TRY(remove_entries(folder.get()));
        if (!deeper && depth == 0) {
            return {};
        }
        folder = TRY(open_folder(folder.get(), deeper ? deeper->c_str() : ".."));
        depth = deeper ? depth + 1 : depth - 1;
    }
}

}  // namespace vigia::scand
