// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/activity.h"
#include "model/mount.h"

namespace vigia::sensors {

// fanotify in handle mode (and, for overlay, also in descriptor mode) on the file systems of the
// watched folders and of the mounts below them (hard-parts 1, 2, 5, 6). One private thread reads;
// it hands on what lies inside the watched folders and counts the rest by reason.
class FileSensor {
public:
    struct Plan {
        std::vector<std::string> folders = {};  // watched, absolute
        std::vector<Mount> mounts = {};         // all that exist, other mount namespaces included
        // Folders of ours, by path; excluded by directory handle with all below them.
        std::vector<std::string> own_folders = {};
        // Folders left out with all below them by policy: what leaves them for a watched folder has
        // to be walked (a folder renamed out of them gives FolderMovedIn).
        std::vector<std::string> excluded_folders = {};
        // Writes to files that stay open are not told: the caller looks for them afterwards.
        bool quiet = false;
    };

    struct Observer {
        // On the reading thread; must not block. False: the pipeline is full, the caller of the
        // sensor has deferred it, counted there.
        std::function<void(FileActivity&&)> on_activity;
        // The kernel's queue overflowed: content may have changed anywhere on the marked file
        // systems.
        std::function<void(BootTime at)> on_overflow;
    };

    struct Place {
        std::string path = {};  // mount point
        std::string type = {};
        std::string state = {};    // watched, local-changes-only, not-applicable, unwatched
        std::string backend = {};  // fanotify-fid, fanotify-fd, both
        int error = 0;             // errno of the refused mark
        std::string detail = {};
        bool other_namespace = false;
    };

    struct State {
        std::vector<Place> places;
        std::uint64_t read = 0;  // records
        std::uint64_t delivered = 0;
        std::map<std::string, std::uint64_t> filtered;  // outside-watch, own, folder, vanished, …
        std::uint64_t overflows = 0;
        bool reading = false;
        std::string error;  // why it does not read
    };

    // What the object is to the caches (hard-parts 2).
    struct FileSystemTraits {
        bool truthful_identity = false;
        bool persistent_identity = false;
        std::string type = {};
    };

    // Error: errno of fanotify_init (EPERM, ENOSYS, EMFILE …).
    [[nodiscard]] static Result<std::unique_ptr<FileSensor>> open(Observer observer);
    virtual ~FileSensor() = default;

    // Adds and removes marks so that they fit the plan. Idempotent; called again at every mount
    // change. One mount that refuses does not hinder the others. Any thread but the reading one.
    virtual void apply(const Plan& plan) = 0;

    // The object as an O_PATH descriptor, through whichever mount of its file system can be
    // reached; the fsid is verified and the mount's descriptor closed before it returns (hard-parts
    // 6). ESTALE: it no longer exists. Thread-safe.
    [[nodiscard]] virtual Result<UniqueFd> open_object(const ObjectId& object) const = 0;

    // The identity of an open file; fails where the file system cannot encode handles.
    [[nodiscard]] static Result<ObjectId> identify(int file);

    [[nodiscard]] virtual FileSystemTraits traits(FileSystemId fs) const = 0;

    // Is this path (bytes, absolute) inside the watched folders and outside our own? Thread-safe.
    [[nodiscard]] virtual bool is_watched(const std::string& path) const = 0;

    [[nodiscard]] virtual State state() const = 0;
};

}  // namespace vigia::sensors
