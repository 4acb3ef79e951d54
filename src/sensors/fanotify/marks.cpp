// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/marks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/fanotify.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

#include "sensors/fanotify/mount_access.h"

namespace vigia::sensors {
namespace {

// Mounts of one file system tried for a mark: one is enough, but on btrfs only the one that shows
// the top subvolume will do (EXDEV else).
constexpr std::size_t kMountsTried = 64;

// fanotify_mark refuses an O_PATH descriptor but follows its link in /proc.
int change_mark(int group, unsigned flags, std::uint64_t mask, const Mount& mount) {
    const auto root = open_mount_root(mount);
    if (!root) {
        return root.error().code.value();
    }
    const auto link = fmt::format("/proc/self/fd/{}", root->get());
    const unsigned how = flags | FAN_MARK_FILESYSTEM;
    return ::fanotify_mark(group, how, mask, AT_FDCWD, link.c_str()) < 0 ? errno : 0;
}

}  // namespace

int Marks::mark(const Mount& mount) const {
    if (!quiet_) {
        return change_mark(group_, FAN_MARK_ADD, mask_, mount);
    }
    // Adding takes nothing away. That there was nothing to take is as good.
    const int error = change_mark(group_, FAN_MARK_ADD, mask_ & ~std::uint64_t{FAN_MODIFY}, mount);
    if (error == 0) {
        (void)change_mark(group_, FAN_MARK_REMOVE, FAN_MODIFY, mount);
    }
    return error;
}

int Marks::add(const Device& device) {
    int refusal = ESTALE;
    for (const auto& mount : device.mounts | std::views::take(kMountsTried)) {
        const int error = mark(mount);
        if (error == 0) {
            marked_.insert(device.number);
            return 0;
        }
        const bool cannot_be_reached = error == ESTALE || error == ENOENT;
        refusal = cannot_be_reached ? refusal : error;
        if (!cannot_be_reached && error != EXDEV) {
            break;  // another mount of it would say the same
        }
    }
    marked_.erase(device.number);
    return refusal;
}

void Marks::keep_only(const std::set<dev_t>& wanted, const Devices& devices) {
    for (const auto number : marked_) {
        const auto device = devices.find(number);
        if (wanted.contains(number) || device == devices.end()) {
            continue;
        }
        for (const auto& mount : device->second.mounts | std::views::take(kMountsTried)) {
            if (change_mark(group_, FAN_MARK_REMOVE, mask_, mount) == 0) {
                break;
            }
        }
    }
    std::erase_if(marked_, [&](dev_t number) { return !wanted.contains(number); });
}

}  // namespace vigia::sensors
