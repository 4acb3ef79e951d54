// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/groups.h"

#include <fcntl.h>

namespace vigia::sensors {
namespace {

Result<UniqueFd> open_group(unsigned flags, unsigned file_flags) {
    constexpr unsigned kAlways = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK;
    const int group = ::fanotify_init(kAlways | flags, file_flags);
    if (group < 0) {
        return fail_errno("fanotify_init");
    }
    return UniqueFd{group};
}

}  // namespace

Result<UniqueFd> open_handle_group() {
    return open_group(FAN_REPORT_DFID_NAME_TARGET, O_RDONLY | O_LARGEFILE | O_CLOEXEC);
}

Result<UniqueFd> open_descriptor_group() {
    // O_NONBLOCK: opening a FIFO must not wait for its other end.
    return open_group(0, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_LARGEFILE | O_NOATIME);
}

}  // namespace vigia::sensors
