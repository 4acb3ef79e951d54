// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/file_identity.h"
#include "model/mount.h"
#include "sensors/fanotify/file_sensor.h"
#include "sensors/fanotify/paths.h"

namespace vigia::sensors {

// One place where (a part of) a file system can be seen: its folder `root` appears at `point`.
struct View {
    std::string root;
    std::string point;
    bool other_namespace = false;
    bool through_overlay = false;  // `root` is the upper folder of the overlay mounted at `point`
};

struct FileSystem {
    dev_t device = 0;
    std::vector<FileSystemId> ids = {};  // several only on btrfs: one of each subvolume
    std::vector<Mount> mounts = {};      // by which it can be reached, the best first
    std::vector<View> views = {};
    FileSensor::FileSystemTraits traits = {};
};

enum class Where : std::uint8_t {
    Outside,
    Own,
    Excluded,
    Watched
};  // Excluded: but inside the watch

struct Placement {
    Where where = Where::Outside;
    std::string path = {};  // the name for people; "" where it is outside

    [[nodiscard]] bool is_inside() const {
        return where == Where::Watched || where == Where::Excluded;
    }
};

struct WatchedFolders {
    FolderSet watched;
    FolderSet own;  // paths of our own mount namespace
    FolderSet excluded;
};

// What is watched, at one time: immutable, shared between the threads, swapped whole. Pure: no I/O.
class WatchMap {
public:
    WatchMap() = default;
    WatchMap(WatchedFolders folders,
             std::vector<FileSystem> file_systems,
             std::vector<Mount> descriptor_mounts);

    // Null: not one of ours.
    [[nodiscard]] const FileSystem* find(FileSystemId id) const;

    // Where a folder of a file system lies, given its path inside the file system. It is inside the
    // watch if any of its places is, and ours if any place in our own namespace is.
    [[nodiscard]] Placement place(const FileSystem& fs, std::string_view path_in_fs) const;

    // The same for an event in descriptor mode: the mount it came through and the path there, which
    // is that of another namespace if the mount is not known.
    [[nodiscard]] Placement place_descriptor(std::uint64_t mount_id, std::string_view path) const;

    // Watched folders that lie truly below this folder.
    [[nodiscard]] std::vector<std::string> watched_below(const FileSystem& fs,
                                                         std::string_view path_in_fs) const;

    [[nodiscard]] bool is_watched(std::string_view path) const;

private:
    [[nodiscard]] Placement place_at(std::string_view path, bool other_namespace) const;

    WatchedFolders folders_;
    std::vector<FileSystem> file_systems_;
    std::map<FileSystemId, std::size_t> by_id_;
    std::vector<Mount> descriptor_mounts_;
};

}  // namespace vigia::sensors
