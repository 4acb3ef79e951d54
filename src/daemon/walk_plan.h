// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/mount.h"

namespace vigia::daemon {

// A folder (or a file that is a mount point) to be walked without leaving its mount.
struct WalkRoot {
    std::string path;
    std::string type;  // of its file system; empty: not known, mounts below it are walked with it
};

// The watched folders and what is mounted below them in our mount namespace, each once; pseudo file
// systems and what lies under another mount are left out. Without `mounts` the folders alone. Pure.
[[nodiscard]] std::vector<WalkRoot> plan_walk(const std::vector<std::string>& folders,
                                              const std::vector<Mount>& mounts);

// Whether the ctime of a file says when its content changed here: not where it is coarse or missing
// (vfat and its kin), nor where others change content (network, FUSE).
[[nodiscard]] bool has_usable_ctime(std::string_view type);

}  // namespace vigia::daemon
