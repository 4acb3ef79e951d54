// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia {

// Adds O_CLOEXEC. Retries EINTR.
[[nodiscard]] Result<UniqueFd> open_at(int dir, const char* path, int flags, mode_t mode = 0);

// openat2 with `resolve` (RESOLVE_* of linux/openat2.h). Adds O_CLOEXEC.
[[nodiscard]] Result<UniqueFd> open_beneath(int dir,
                                            const char* path,
                                            std::uint64_t flags,
                                            std::uint64_t resolve);

// The whole file, at most `limit` bytes; more is EFBIG.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);
[[nodiscard]] Result<std::string> read_all(int fd, std::size_t limit);

// All of it or an error; retries short writes and EINTR.
[[nodiscard]] Result<> write_all(int fd, std::string_view bytes);

// Temporary file beside it, fsync, rename, fsync of the folder: the old or the new, never half.
[[nodiscard]] Result<> replace_file(const std::filesystem::path& path,
                                    std::string_view content,
                                    mode_t mode);

struct FileOwner {
    uid_t uid = 0;
    gid_t gid = 0;
};

// The same for a file that has an owner to be kept. Asks just before the rename whether to go on;
// if not: EBUSY.
[[nodiscard]] Result<> replace_file(const std::filesystem::path& path,
                                    std::string_view content,
                                    mode_t mode,
                                    std::optional<FileOwner> owner,
                                    const std::function<bool()>& go_on);

// Makes the folder (and missing parents, 0755) with exactly this mode and owner if it is not there.
// An existing folder is left as it is: somebody else's modes are a fault to report, not to hide.
[[nodiscard]] Result<> ensure_folder(const std::filesystem::path& path,
                                     mode_t mode,
                                     uid_t uid = 0,
                                     gid_t gid = 0);

// The name the kernel has for a descriptor: readlink of /proc/self/fd/N. " (deleted)" is kept.
[[nodiscard]] Result<std::string> path_of(int fd);

// A read-write way to the inode behind any descriptor, O_PATH included: opens /proc/self/fd/N.
[[nodiscard]] Result<UniqueFd> reopen(int fd, int flags);

}  // namespace vigia
