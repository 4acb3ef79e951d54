// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/layout.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <tuple>

namespace vigia::sensors {
namespace {

// The mount on which a path lies: the deepest point above it; of several at one point the last,
// which covers the others.
const Mount* carrier_of(const std::vector<Mount>& mounts, const std::string& path) {
    const Mount* best = nullptr;
    for (const auto& mount : mounts) {
        const bool carries = !mount.other_namespace && is_below(path, mount.point);
        if (carries && (best == nullptr || mount.point.size() >= best->point.size())) {
            best = &mount;
        }
    }
    return best;
}

std::set<int> carriers_of(const std::vector<Mount>& mounts, const FolderSet& watched) {
    std::set<int> ids;
    for (const auto& folder : watched.all()) {
        if (const auto* carrier = carrier_of(mounts, folder)) {
            ids.insert(carrier->id);
        }
    }
    return ids;
}

}  // namespace

Devices devices_of(const std::vector<Mount>& mounts, const FolderSet& watched) {
    const auto carriers = carriers_of(mounts, watched);
    Devices devices;
    for (const auto& mount : mounts) {
        auto& device = devices[mount.device];
        device.number = mount.device;
        device.kind = kind_of(mount.type);
        device.mounts.push_back(mount);
        const bool carries = !mount.other_namespace && carriers.contains(mount.id);
        if (carries || watched.contains(mount.point)) {
            device.wanted.push_back(mount);
        }
    }
    for (auto& [number, device] : devices) {
        std::ranges::sort(device.mounts, {}, [&](const Mount& mount) {
            return std::tuple(
                mount.root != "/", mount.other_namespace, !watched.contains(mount.point), mount.id);
        });
    }
    return devices;
}

}  // namespace vigia::sensors
