// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "host/parse.h"
#include "model/fact.h"

namespace vigia::host {

// A root folder, opened once: "/" or the root of an image or container. Whatever is read is read
// under it: links, absolute ones and ".." too, are resolved inside (openat2, RESOLVE_IN_ROOT), and
// links that only the kernel can follow are refused. Paths are written without the first slash.
//
// Nothing that is not a regular file is ever opened for reading, so a FIFO or a device in its place
// is an error and does nothing. A call may still last as long as the file system below it does
// (FUSE, NFS): do not examine foreign roots on the loop thread. Const calls from any thread.
class Root {
public:
    [[nodiscard]] static Result<Root> open(const std::filesystem::path& folder);

    // As it was given, for people.
    [[nodiscard]] const std::string& name() const { return name_; }

    // The root folder of this very process: only then is the running kernel this host's kernel.
    [[nodiscard]] bool is_live() const { return live_; }

    // The whole of a regular file, at most `limit` bytes (EFBIG beyond; EINVAL: not regular).
    [[nodiscard]] Result<std::string> read(std::string_view path, std::size_t limit) const;

    // At most the first `limit` bytes of a regular file.
    [[nodiscard]] Result<std::string> read_start(std::string_view path, std::size_t limit) const;

    // A regular file, readable, non-blocking.
    [[nodiscard]] Result<UniqueFd> open_file(std::string_view path) const;

    // Of what the path leads to; of a link itself with `follow` false.
    [[nodiscard]] Result<struct stat> status(std::string_view path, bool follow = true) const;

    // ENOENT and ENOTDIR are "false"; other errors stay errors.
    [[nodiscard]] Result<bool> exists(std::string_view path) const;

    // Names in a folder, sorted, without "." and ".."; EFBIG when there are more than `limit`.
    [[nodiscard]] Result<std::vector<std::string>> list(std::string_view path,
                                                        std::size_t limit = 16'384) const;

    // Where a symbolic link points, unresolved.
    [[nodiscard]] Result<std::string> link_target(std::string_view path) const;

    // The names in a folder that are symbolic links, with where they point: one call for each,
    // which is what makes looking through everybody's descriptors affordable. EFBIG as list().
    [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> links(
        std::string_view path, std::size_t limit) const;

private:
    Root(UniqueFd folder, std::string name, bool live)
        : folder_(std::move(folder)), name_(std::move(name)), live_(live) {}

    [[nodiscard]] Result<UniqueFd> open_path(std::string_view path, std::uint64_t flags) const;

    UniqueFd folder_;
    std::string name_;
    bool live_ = false;
};

[[nodiscard]] inline bool is_missing(const Error& error) {
    return error.code == std::errc::no_such_file_or_directory ||
           error.code == std::errc::not_a_directory;
}

// The fact that a parser finds in a file: known with the file as its source, or unknown because the
// file cannot be read or is not understood.
template <typename T, std::invocable<std::string_view> Parser>
[[nodiscard]] Fact<T> fact_from(const Root& root,
                                std::string_view path,
                                std::size_t limit,
                                const Parser& parser) {
    const std::string source = "/" + std::string(path);
    const auto text = root.read(path, limit);
    if (!text) {
        return Fact<T>::unknown(text.error().message(), source);
    }
    Parsed<T> parsed = parser(*text);
    return parsed ? Fact<T>::known(*std::move(parsed), source)
                  : Fact<T>::unknown(std::move(parsed).error(), source);
}

}  // namespace vigia::host
