// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <expected>
#include <string>

#include "model/file_identity.h"
#include "sensors/fanotify/accounts.h"
#include "sensors/fanotify/generation_cache.h"
#include "sensors/fanotify/mount_access.h"
#include "sensors/fanotify/watch_map.h"

namespace vigia::sensors {

// From handles to places. Folders are remembered until forget(); what is asked for a second time
// costs a look into a table. One thread.
class Resolver {
public:
    // Where this folder lies. Valid until the next call.
    [[nodiscard]] std::expected<const Placement*, Reason> place_of(const WatchMap& map,
                                                                   const ObjectId& folder);

    // Its path inside its file system, not remembered: "/" + … as the root of the file system sees
    // it. Reason::Vanished: no longer there. Reason::OutsideWatch: no mount shows it.
    [[nodiscard]] std::expected<std::string, Reason> path_in_fs(const FileSystem& fs,
                                                                const ObjectId& object);

    // How many names the object has; 0 if it cannot be told or it is no regular file.
    [[nodiscard]] unsigned links_of(const FileSystem& fs, const ObjectId& object);

    // Folders were renamed or the map is another one.
    void forget() { places_.clear(); }

    // Closes the mounts: before every wait, and within 100 ms (hard-parts 6).
    void close_mounts() { session_.close_all(); }

private:
    static constexpr std::size_t kFoldersRemembered = 65'536;

    GenerationCache<ObjectId, Placement> places_{kFoldersRemembered};
    MountSession session_;
};

}  // namespace vigia::sensors
