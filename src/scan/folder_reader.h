// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace vigia::scan {

// What a folder entry is, without opening it.
struct EntryState {
    std::uint16_t mode = 0;
    std::uint64_t size = 0;
    std::int64_t ctime_ns = 0;
    std::uint64_t inode = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint32_t links = 1;
    std::uint64_t mount = 0;
};

// statx that follows no link and starts no automount; an empty name is the folder itself.
[[nodiscard]] Result<EntryState> entry_state(int folder, const char* name);

// proc, sysfs and their like: content made up by the kernel (statfs f_type, linux/magic.h).
[[nodiscard]] bool is_pseudo_file_system(int file);

// getdents64 with its buffer. Not thread-safe.
class FolderReader {
public:
    FolderReader();

    struct Entry {
        const char* name = nullptr;  // never "." or ".."
        std::uint8_t type = 0;       // DT_*; DT_UNKNOWN where the file system does not say
        std::int64_t next = 0;       // where to go on after it: lseek on the folder, opened anew
    };

    // `visit` says whether to go on. True: the end of the folder was reached.
    [[nodiscard]] Result<bool> read(int folder, const std::function<bool(const Entry&)>& visit);

private:
    std::vector<std::byte> buffer_;
};

}  // namespace vigia::scan
