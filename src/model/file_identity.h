// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace vigia {

// statfs f_fsid: the two words of the kernel's identifier of a mounted file system. Derived from
// the UUID on ext4, xfs and btrfs; random per mount on tmpfs.
struct FileSystemId {
    std::uint32_t word0 = 0;
    std::uint32_t word1 = 0;

    auto operator<=>(const FileSystemId&) const = default;
};

// What name_to_handle_at gives: names an inode, with its generation, for as long as it exists.
struct FileHandle {
    std::int32_t type = 0;
    std::string bytes;  // at most MAX_HANDLE_SZ (128)

    auto operator<=>(const FileHandle&) const = default;
};

// An object of a file system, whatever names it has now.
struct ObjectId {
    FileSystemId fs;
    FileHandle handle;

    auto operator<=>(const ObjectId&) const = default;
};

// An object in one state of its content. Equal identities mean equal content only where
// hard-parts 2 says so (no writer, ctime old enough, a file system that tells the truth).
struct FileIdentity {
    ObjectId object;
    std::uint64_t size = 0;
    std::int64_t ctime_ns = 0;

    auto operator<=>(const FileIdentity&) const = default;
};

}  // namespace vigia

template <>
struct std::hash<vigia::ObjectId> {
    std::size_t operator()(const vigia::ObjectId& id) const noexcept {
        const std::size_t name = std::hash<std::string>{}(id.handle.bytes);
        const auto fs = (static_cast<std::size_t>(id.fs.word0) << 32U) | id.fs.word1;
        return name ^ (fs * 0x9e3779b97f4a7c15ULL);  // 2^64 / golden ratio: spreads close numbers
    }
};

template <>
struct std::hash<vigia::FileIdentity> {
    std::size_t operator()(const vigia::FileIdentity& id) const noexcept {
        return std::hash<vigia::ObjectId>{}(id.object) ^
               (static_cast<std::size_t>(id.ctime_ns) * 0x9e3779b97f4a7c15ULL) ^ id.size;
    }
};
