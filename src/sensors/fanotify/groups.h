// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/fanotify.h>

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::sensors {

// hard-parts 1. RENAME tells both ends of a rename in one event, MOVED_TO would tell it twice.
inline constexpr std::uint64_t kHandleMask =
    FAN_CLOSE_WRITE | FAN_CREATE | FAN_MODIFY | FAN_RENAME | FAN_ONDIR;

// All that a group without handles can be told.
inline constexpr std::uint64_t kDescriptorMask = FAN_CLOSE_WRITE | FAN_MODIFY;

// The queues stay bounded (fs.fanotify.max_queued_events): an overflow is noticed and counted.
// Errors: EPERM, EMFILE (fs.fanotify.max_user_groups), EINVAL (a kernel before 5.17), ENOSYS.
[[nodiscard]] Result<UniqueFd> open_handle_group();
[[nodiscard]] Result<UniqueFd> open_descriptor_group();

}  // namespace vigia::sensors
