// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/file_identity.h"
#include "model/quarantine.h"

// What a descriptor tells of the object behind it.
namespace vigia::response {

[[nodiscard]] Result<struct stat> stat_of(int fd);

// Is it the same inode? Exact while a descriptor keeps one of the two alive: its number cannot be
// given to another.
[[nodiscard]] bool is_same_object(const struct stat& one, const struct stat& other) noexcept;

[[nodiscard]] std::int64_t nanoseconds(const timespec& time) noexcept;

[[nodiscard]] Result<FileSystemId> file_system_of(int fd);

// EOPNOTSUPP where the file system cannot encode handles (plain overlay).
[[nodiscard]] Result<FileHandle> handle_of(int fd);

// Of the state it is in now; the handle is left empty where there is none.
[[nodiscard]] Result<FileIdentity> identity_of(int fd);

// +i or +a (FS_IOC_GETFLAGS). False where the file system has no such flags.
[[nodiscard]] bool is_protected_by_flags(int fd) noexcept;

[[nodiscard]] bool is_on_read_only_mount(int fd) noexcept;

// SHA-256 of the first `size` bytes, by pread: the descriptor's offset is shared with others.
[[nodiscard]] Result<Sha256> content_digest(int fd, std::uint64_t size);

enum class Holders : std::uint8_t { None, Some, Unknown };

// Does anybody have it open for writing, a mapping included? Asked by a lease that is given back at
// once; Unknown where leases cannot be had (overlay, FUSE, network) or lie.
[[nodiscard]] Holders writers_of(int fd);

// Does anybody beyond this open file description (which may be shared with our children) hold it
// open? Nothing when nobody does; else a sentence for people, naming a process where one is found
// in /proc within `bound`.
[[nodiscard]] std::optional<std::string> held_open_by(int fd, std::chrono::milliseconds bound);

}  // namespace vigia::response
