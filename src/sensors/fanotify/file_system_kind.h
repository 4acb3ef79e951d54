// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "model/mount.h"
#include "sensors/fanotify/file_sensor.h"

namespace vigia::sensors {

enum class Kind : std::uint8_t {
    Local,  // content changes only through this kernel
    Overlay,
    Remote,         // network and FUSE: others change content too, and any call may hang
    NotApplicable,  // no files of anybody: proc, sysfs, cgroup …
};

// By the type in mountinfo. What is not known is Local: the mark then shows what it can do.
[[nodiscard]] Kind kind_of(std::string_view type);

// hard-parts 2. Reads /sys/dev/block for whether the device can be taken out; `mount` is any mount
// of the file system.
[[nodiscard]] FileSensor::FileSystemTraits traits_of(const Mount& mount);

}  // namespace vigia::sensors
