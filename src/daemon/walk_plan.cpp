// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/walk_plan.h"

#include <algorithm>
#include <array>
#include <map>

#include "sensors/fanotify/file_system_kind.h"

namespace vigia::daemon {
namespace {

bool is_at_or_below(std::string_view path, std::string_view folder) {
    return folder == "/" || path == folder ||
           (path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/');
}

// By mount point: what is seen there.
using Seen = std::map<std::string, const Mount*>;

// The type of the file system that the folder is on; empty: not known.
std::string type_at(const Seen& seen, const std::string& folder) {
    const Mount* nearest = nullptr;
    for (const auto& [point, mount] : seen) {
        if (is_at_or_below(folder, point) &&
            (nearest == nullptr || point.size() >= nearest->point.size())) {
            nearest = mount;
        }
    }
    return nearest == nullptr ? std::string{} : nearest->type;
}

}  // namespace

bool has_usable_ctime(std::string_view type) {
    constexpr std::array<std::string_view, 9> kCoarse{
        "vfat", "msdos", "exfat", "hfs", "hfsplus", "ntfs", "ntfs3", "iso9660", "udf"};
    return std::ranges::find(kCoarse, type) == kCoarse.end() &&
           sensors::kind_of(type) != sensors::Kind::Remote;
}

std::vector<WalkRoot> plan_walk(const std::vector<std::string>& folders,
                                const std::vector<Mount>& mounts) {
    // The last mount at a point is the one that is seen there.
    Seen seen;
    for (const auto& mount : mounts) {
        if (!mount.other_namespace) {
            seen[mount.point] = &mount;
        }
    }
    std::map<std::string, std::string> roots;
    for (const auto& folder : folders) {
        roots.emplace(folder, type_at(seen, folder));
        for (const auto& [point, mount] : seen) {
            if (point != folder && is_at_or_below(point, folder)) {
                roots.emplace(point, mount->type);
            }
        }
    }
    std::vector<WalkRoot> plan;
    for (const auto& [path, type] : roots) {
        // A watched folder inside another one, on the same mount, is walked with it.
        const bool inside =
            !seen.contains(path) && std::ranges::any_of(folders, [&](const auto& f) {
                return f != path && is_at_or_below(path, f);
            });
        if (!inside && sensors::kind_of(type) != sensors::Kind::NotApplicable) {
            plan.push_back({.path = path, .type = type});
        }
    }
    return plan;
}

}  // namespace vigia::daemon
