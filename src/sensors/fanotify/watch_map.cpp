// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/watch_map.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace vigia::sensors {
namespace {

// Which of several names of a folder people are told: the least.
auto rank(const View& view) {
    return std::tuple(view.other_namespace, !view.through_overlay, std::string_view(view.point));
}

}  // namespace

WatchMap::WatchMap(WatchedFolders folders,
                   std::vector<FileSystem> file_systems,
                   std::vector<Mount> descriptor_mounts)
    : folders_(std::move(folders)),
      file_systems_(std::move(file_systems)),
      descriptor_mounts_(std::move(descriptor_mounts)) {
    for (std::size_t at = 0; at < file_systems_.size(); ++at) {
        std::ranges::sort(file_systems_[at].views, {}, rank);
        for (const auto& id : file_systems_[at].ids) {
            by_id_.try_emplace(id, at);
        }
    }
}

const FileSystem* WatchMap::find(FileSystemId id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &file_systems_[found->second];
}

Placement WatchMap::place_at(std::string_view path, bool other_namespace) const {
    if (!other_namespace && folders_.own.contains(path)) {
        return {.where = Where::Own};
    }
    if (!folders_.watched.contains(path)) {
        return {};
    }
    const bool excluded = !other_namespace && folders_.excluded.contains(path);
    return {.where = excluded ? Where::Excluded : Where::Watched, .path = std::string(path)};
}

Placement WatchMap::place(const FileSystem& fs, std::string_view path_in_fs) const {
    Placement best;
    for (const auto& view : fs.views) {
        const auto path = rebase(path_in_fs, view.root, view.point);
        if (!path) {
            continue;
        }
        auto here = place_at(*path, view.other_namespace);
        if (here.where == Where::Own) {
            return here;
        }
        if (!best.is_inside()) {
            best = std::move(here);
        } else if (here.where == Where::Excluded) {
            best.where = Where::Excluded;
        }
    }
    return best;
}

Placement WatchMap::place_descriptor(std::uint64_t mount_id, std::string_view path) const {
    const auto known = std::ranges::find_if(descriptor_mounts_, [&](const Mount& mount) {
        return static_cast<std::uint64_t>(mount.id) == mount_id;
    });
    if (known != descriptor_mounts_.end()) {
        return place_at(path, known->other_namespace);
    }
    // A copy of one of the mounts in a namespace of its own (a container's root): the path begins
    // there, most often at the root of the file system. That namespace may be a user's own, and its
    // paths what he likes: they never make a file ours.
    for (const auto& mount : descriptor_mounts_) {
        auto placed = place_at(rebase(path, mount.root, mount.point).value_or(mount.point), true);
        if (placed.where != Where::Outside) {
            return placed;
        }
    }
    return {};
}

std::vector<std::string> WatchMap::watched_below(const FileSystem& fs,
                                                 std::string_view path_in_fs) const {
    std::vector<std::string> found;
    for (const auto& view : fs.views) {
        const auto path = rebase(path_in_fs, view.root, view.point);
        if (path && !view.other_namespace) {
            std::ranges::move(folders_.watched.below(*path), std::back_inserter(found));
        }
    }
    return found;
}

bool WatchMap::is_watched(std::string_view path) const {
    return place_at(path, false).is_inside();
}

}  // namespace vigia::sensors
