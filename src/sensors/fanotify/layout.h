// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "model/mount.h"
#include "sensors/fanotify/file_system_kind.h"
#include "sensors/fanotify/paths.h"

namespace vigia::sensors {

// One mounted file system and all its mounts.
struct Device {
    dev_t number = 0;
    Kind kind = Kind::Local;
    std::vector<Mount> mounts = {};  // the best to reach it by first: those that show its root
    std::vector<Mount> wanted = {};  // those that carry a watched folder or lie below one

    [[nodiscard]] bool is_wanted() const { return !wanted.empty(); }
};

using Devices = std::map<dev_t, Device>;

// Which mounts are to be watched. A mount of another namespace is if its own path lies in a watched
// folder. Pure.
[[nodiscard]] Devices devices_of(const std::vector<Mount>& mounts, const FolderSet& watched);

}  // namespace vigia::sensors
