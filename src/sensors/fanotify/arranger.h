// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <vector>

#include "model/mount.h"
#include "sensors/fanotify/arrangement.h"
#include "sensors/fanotify/file_sensor.h"
#include "sensors/fanotify/layout.h"
#include "sensors/fanotify/marks.h"
#include "sensors/fanotify/shared.h"
#include "sensors/fanotify/watch_map.h"

namespace vigia::sensors {

// How one device came to be watched in this apply.
struct Marked {
    int by_handle = 0;      // 0 or errno
    int by_descriptor = 0;  // 0 or errno; only asked if the first is refused
    bool upper_too = false;
    bool covered = false;  // no path leads to it
};

struct Draft {
    WatchedFolders folders;
    Devices devices;
    std::map<dev_t, FileSystem> file_systems = {};  // to be marked in handle mode
    std::map<dev_t, Upper> uppers = {};             // by overlay
    std::map<dev_t, Marked> marked = {};
};

// One mount as status shows it.
struct KnownPlace {
    FileSensor::Place place;
    dev_t device = 0;
    bool foreign = false;  // marked by ForeignWatch, which knows the rest
};

// Makes the map and the marks of the two groups fit a plan. Not thread-safe.
class Arranger {
public:
    // The groups stay their owner's and must outlive this; `shared` too.
    Arranger(Shared& shared, int handle_group, int descriptor_group);

    struct Outcome {
        Devices devices;
        std::vector<KnownPlace> places;
    };

    // Idempotent. A mount that refuses does not hinder the others.
    [[nodiscard]] Outcome apply(const FileSensor::Plan& plan);

private:
    void draft_overlays(Draft& draft);
    void make_marks(Draft& draft);
    [[nodiscard]] int mark_by_descriptor(const Device& device, std::set<dev_t>& marked);
    void publish(const Draft& draft);

    Shared& shared_;
    Marks handle_marks_;
    Marks descriptor_marks_;
};

}  // namespace vigia::sensors
