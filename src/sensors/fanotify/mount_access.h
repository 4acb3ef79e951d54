// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/file_identity.h"
#include "model/mount.h"
#include "sensors/fanotify/watch_map.h"

namespace vigia::sensors {

// Any descriptor on a mount keeps it busy (hard-parts 6): close within 100 ms what these give.

// ESTALE, which std::errc does not know: it was there and is no longer.
[[nodiscard]] Error stale(std::string context);

// The root of this very mount as an O_PATH descriptor; ESTALE if another one covers it or it is
// gone. A mount of another namespace is reached through whichever process of it still lives.
[[nodiscard]] Result<UniqueFd> open_mount_root(const Mount& mount);

// The same as open_by_handle_at wants it (it refuses O_PATH), of a file system with one of `ids`.
[[nodiscard]] Result<UniqueFd> open_mount(const Mount& mount, const std::vector<FileSystemId>& ids);

// statfs f_fsid of what the descriptor stands for.
[[nodiscard]] Result<FileSystemId> file_system_of(int fd);

// The mount a descriptor was opened through (mountinfo's first field).
[[nodiscard]] Result<std::uint64_t> mount_id_of(int fd);

// O_PATH; ESTALE: no longer there.
[[nodiscard]] Result<UniqueFd> open_by_handle(int mount, const FileHandle& handle);

// Mounts opened on demand and kept for one batch of events. One thread.
class MountSession {
public:
    struct Opened {
        UniqueFd root;
        std::string path;  // what the kernel calls the root now
    };

    // Null: cannot be reached; not tried again before the session is over.
    [[nodiscard]] const Opened* open(const FileSystem& fs, const Mount& mount);

    void close_all() { opened_.clear(); }

    [[nodiscard]] bool is_empty() const { return opened_.empty(); }

private:
    std::map<int, Opened> opened_;  // by mount id
};

}  // namespace vigia::sensors
