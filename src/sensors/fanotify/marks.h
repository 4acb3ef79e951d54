// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <vector>

#include "model/mount.h"
#include "sensors/fanotify/layout.h"

namespace vigia::sensors {

// The file-system marks of one fanotify group. Not thread-safe.
class Marks {
public:
    // `group` stays its owner's and must outlive this.
    Marks(int group, std::uint64_t mask) : group_(group), mask_(mask) {}

    // Writes to files that stay open are not told any more (again); add() carries it out.
    void set_quiet(bool quiet) { quiet_ = quiet; }

    // Marks the file system through the first of `mounts` that lets it; made again if it is there,
    // for the file system may be a new one under the same number. Returns 0 or the errno: ESTALE if
    // no mount can be reached, else what the kernel said.
    [[nodiscard]] int add(const Device& device);

    // Removes the marks of all others, as far as they can still be reached: the kernel drops those
    // of an unmounted file system itself.
    void keep_only(const std::set<dev_t>& wanted, const Devices& devices);

private:
    [[nodiscard]] int mark(const Mount& mount) const;

    int group_;
    std::uint64_t mask_;
    bool quiet_ = false;
    std::set<dev_t> marked_;
};

}  // namespace vigia::sensors
