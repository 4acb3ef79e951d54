// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/mount.h"
#include "sensors/fanotify/file_sensor.h"
#include "sensors/fanotify/layout.h"
#include "sensors/fanotify/watch_map.h"

namespace vigia::sensors {

// From a plan to what the threads need to know. These open mounts and close them again; they may
// block as long as a file system blocks, so they run on the caller of FileSensor::apply.

// The folders of a plan under the names given and, where those are links, under the true names.
[[nodiscard]] WatchedFolders folders_of(const FileSensor::Plan& plan);

// The file system as it can be reached now, with its views. Error: ESTALE if no mount can be.
[[nodiscard]] Result<FileSystem> survey(const Device& device);

// Where the files lie that are written through an overlay.
struct Upper {
    dev_t device = 0;
    std::string path;  // of the upper folder inside its file system
};

// Nothing: it has no upper folder, or none that can be found from here.
[[nodiscard]] std::optional<Upper> find_upper(const Mount& overlay, const Devices& devices);

// How the upper folder's file system shows the overlay.
[[nodiscard]] View view_through(const Mount& overlay, const Upper& upper);

}  // namespace vigia::sensors
