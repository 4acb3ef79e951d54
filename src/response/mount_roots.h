// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace vigia::response {

// Where the file system of an object is mounted, so far as this mount namespace shows.
struct MountRoots {
    std::vector<std::string> points;
    bool whole = false;  // together they show all of the file system
};

[[nodiscard]] MountRoots mount_roots_of(int object);

}  // namespace vigia::response
