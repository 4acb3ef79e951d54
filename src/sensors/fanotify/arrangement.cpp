// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/arrangement.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <ranges>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "sensors/fanotify/mount_access.h"
#include "sensors/fanotify/resolver.h"

namespace vigia::sensors {
namespace {

constexpr std::size_t kSubvolumesLookedAt = 1024;

FolderSet with_true_names(const std::vector<std::string>& folders) {
    auto names = folders;
    for (const auto& folder : folders) {
        const auto opened = open_at(AT_FDCWD, folder.c_str(), O_PATH);
        if (!opened) {
            continue;  // it may come later
        }
        if (auto name = path_of(opened->get())) {
            names.push_back(std::move(*name));
        }
    }
    return FolderSet(names);
}

// Only on btrfs have the mounts of one device several identifiers, one for each subvolume.
Result<std::vector<FileSystemId>> ids_of(const Device& device) {
    const bool has_subvolumes = device.mounts.front().type == "btrfs";
    std::vector<FileSystemId> ids;
    auto last = stale("no path leads to " + printable(device.mounts.front().point));
    for (const auto& mount : device.mounts | std::views::take(kSubvolumesLookedAt)) {
        const auto root = open_mount_root(mount);
        const auto id = root ? file_system_of(root->get()) : std::unexpected(root.error());
        if (!id) {
            last = id.error();
            continue;
        }
        if (std::ranges::find(ids, *id) == ids.end()) {
            ids.push_back(*id);
        }
        if (!has_subvolumes) {
            break;
        }
    }
    if (ids.empty()) {
        return std::unexpected(std::move(last));
    }
    return ids;
}

bool is_wanted(const Device& device, const Mount& mount) {
    return std::ranges::find(device.wanted, mount.id, &Mount::id) != device.wanted.end();
}

// The path as the one who mounted meant it: in the overlay's own namespace if it is another one,
// then in ours (container engines mount with our paths and move the mount afterwards).
Result<UniqueFd> open_upper(const Mount& overlay, const std::string& path) {
    constexpr std::string_view kRoot = "/root";
    const auto end = overlay.reach.find(kRoot);
    if (overlay.other_namespace && end != std::string::npos) {
        const auto process_root = overlay.reach.substr(0, end + kRoot.size());
        const auto root = TRY(open_at(AT_FDCWD, process_root.c_str(), O_PATH));
        auto upper = open_beneath(root.get(),
                                  path.c_str(),
                                  O_PATH | O_DIRECTORY,
                                  RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (upper) {
            return upper;
        }
    }
    return open_at(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
}

const Device* device_of(int fd, const Devices& devices) {
    if (const auto id = mount_id_of(fd)) {
        for (const auto& device : std::views::values(devices)) {
            const auto same = [&](const Mount& mount) {
                return static_cast<std::uint64_t>(mount.id) == *id;
            };
            if (std::ranges::any_of(device.mounts, same)) {
                return &device;
            }
        }
    }
    struct stat status{};
    if (::fstat(fd, &status) < 0) {
        return nullptr;
    }
    const auto found = devices.find(status.st_dev);
    return found == devices.end() ? nullptr : &found->second;
}

}  // namespace

WatchedFolders folders_of(const FileSensor::Plan& plan) {
    return {.watched = with_true_names(plan.folders),
            .own = with_true_names(plan.own_folders),
            .excluded = with_true_names(plan.excluded_folders)};
}

Result<FileSystem> survey(const Device& device) {
    FileSystem fs{.device = device.number};
    fs.ids = TRY(ids_of(device));
    fs.mounts = device.mounts;
    fs.traits = traits_of(device.mounts.front());
    for (const auto& mount : device.mounts) {
        if (!mount.other_namespace || is_wanted(device, mount)) {
            fs.views.push_back({.root = mount.root,
                                .point = mount.point,
                                .other_namespace = mount.other_namespace});
        }
    }
    return fs;
}

std::optional<Upper> find_upper(const Mount& overlay, const Devices& devices) {
    const auto path = mount_option(overlay, "upperdir");
    if (!path || !path->starts_with('/')) {
        return std::nullopt;
    }
    const auto folder = open_upper(overlay, *path);
    const auto* device = folder ? device_of(folder->get(), devices) : nullptr;
    if (device == nullptr || device->kind != Kind::Local) {
        return std::nullopt;
    }
    const auto object = FileSensor::identify(folder->get());
    const auto fs = survey(*device);
    if (!object || !fs) {
        return std::nullopt;
    }
    Resolver resolver;
    auto in_fs = resolver.path_in_fs(*fs, *object);
    if (!in_fs) {
        return std::nullopt;
    }
    return Upper{.device = device->number, .path = std::move(*in_fs)};
}

View view_through(const Mount& overlay, const Upper& upper) {
    return {.root = rebase(overlay.root, "/", upper.path).value_or(upper.path),
            .point = overlay.point,
            .other_namespace = overlay.other_namespace,
            .through_overlay = true};
}

}  // namespace vigia::sensors
