// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/arranger.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <memory>
#include <ranges>
#include <system_error>
#include <utility>

#include "sensors/fanotify/groups.h"
#include "sensors/fanotify/paths.h"

namespace vigia::sensors {
namespace {

// The upper folders of overlays show what lies below the overlays.
void add_overlay_views(Draft& draft) {
    for (const auto& [overlay, upper] : draft.uppers) {
        const auto fs = draft.file_systems.find(upper.device);
        if (fs == draft.file_systems.end()) {
            continue;
        }
        for (const auto& mount : draft.devices.at(overlay).wanted) {
            fs->second.views.push_back(view_through(mount, upper));
        }
    }
}

void draft_file_systems(Draft& draft) {
    std::set<dev_t> wanted;
    for (const auto& [number, device] : draft.devices) {
        if (device.kind == Kind::Local && device.is_wanted()) {
            wanted.insert(number);
        }
    }
    for (const auto& upper : std::views::values(draft.uppers)) {
        wanted.insert(upper.device);
    }
    for (const auto number : wanted) {
        if (auto fs = survey(draft.devices.at(number))) {
            draft.file_systems.emplace(number, std::move(*fs));
        } else {
            auto& marked = draft.marked[number];
            marked.by_handle = fs.error().code.value();
            marked.by_descriptor = marked.by_handle;
            marked.covered = marked.by_handle == ESTALE;
        }
    }
    add_overlay_views(draft);
}

void tell_outcome(const Marked& marked, FileSensor::Place& place) {
    if (marked.covered && !place.other_namespace) {
        place.state = "not-applicable";
        place.detail = "covered by another mount: no path leads to it";
    } else if (marked.by_handle == 0) {
        place.state = "watched";
        place.backend = "fanotify-fid";
    } else if (marked.by_descriptor == 0) {
        place.state = "watched";
        place.backend = marked.upper_too ? "both" : "fanotify-fd";
        place.detail = marked.upper_too ? "" : "links and renames into it are not seen";
    } else {
        place.state = "unwatched";
        place.error = marked.by_descriptor;
        place.detail = std::system_category().message(marked.by_descriptor);
    }
}

KnownPlace place_of(const Draft& draft, const Device& device, const Mount& mount) {
    KnownPlace known{.place = {.path = mount.point,
                               .type = mount.type,
                               .other_namespace = mount.other_namespace},
                     .device = device.number,
                     .foreign = device.kind == Kind::Remote};
    auto& place = known.place;
    if (device.kind == Kind::NotApplicable) {
        place.state = "not-applicable";
        return known;
    }
    const auto found = draft.marked.find(device.number);
    if (found == draft.marked.end()) {
        place.state = "unwatched";  // until the marks are made
        return known;
    }
    tell_outcome(found->second, place);
    return known;
}

std::vector<KnownPlace> places_of(const Draft& draft) {
    std::vector<KnownPlace> places;
    for (const auto& device : std::views::values(draft.devices)) {
        for (const auto& mount : device.wanted) {
            places.push_back(place_of(draft, device, mount));
        }
    }
    return places;
}

}  // namespace

Arranger::Arranger(Shared& shared, int handle_group, int descriptor_group)
    : shared_(shared),
      handle_marks_(handle_group, kHandleMask),
      descriptor_marks_(descriptor_group, kDescriptorMask) {}

Arranger::Outcome Arranger::apply(const FileSensor::Plan& plan) {
    handle_marks_.set_quiet(plan.quiet);
    descriptor_marks_.set_quiet(plan.quiet);
    auto folders = folders_of(plan);
    auto devices = devices_of(plan.mounts, folders.watched);
    Draft draft{.folders = std::move(folders), .devices = std::move(devices)};
    draft_overlays(draft);
    draft_file_systems(draft);
    // The map comes before the marks: an event of a file system that is in no map would be dropped.
    publish(draft);
    make_marks(draft);
    publish(draft);
    auto places = places_of(draft);
    return {.devices = std::move(draft.devices), .places = std::move(places)};
}

// An overlay that takes a mark in handle mode (index=on,nfs_export=on) is a file system like
// others. For the rest their upper folders are looked for.
void Arranger::draft_overlays(Draft& draft) {
    for (auto& [number, device] : draft.devices) {
        if (device.kind != Kind::Overlay || !device.is_wanted()) {
            continue;
        }
        if (handle_marks_.add(device) == 0) {
            device.kind = Kind::Local;
            continue;
        }
        for (const auto& mount : device.wanted) {
            if (auto upper = find_upper(mount, draft.devices)) {
                draft.uppers.try_emplace(number, std::move(*upper));
            }
        }
    }
}

int Arranger::mark_by_descriptor(const Device& device, std::set<dev_t>& marked) {
    const int error = descriptor_marks_.add(device);
    if (error == 0) {
        marked.insert(device.number);
    }
    return error;
}

void Arranger::make_marks(Draft& draft) {
    std::set<dev_t> by_handle;
    std::set<dev_t> by_descriptor;
    for (const auto number : std::views::keys(draft.file_systems)) {
        const auto& device = draft.devices.at(number);
        auto& marked = draft.marked[number];
        marked.by_handle = handle_marks_.add(device);
        if (marked.by_handle == 0) {
            by_handle.insert(number);
        } else if (device.is_wanted()) {
            marked.by_descriptor = mark_by_descriptor(device, by_descriptor);
        }
    }
    for (const auto& [number, device] : draft.devices) {
        if (device.kind != Kind::Overlay || !device.is_wanted()) {
            continue;
        }
        const auto upper = draft.uppers.find(number);
        const int refusal = mark_by_descriptor(device, by_descriptor);
        draft.marked[number] = {
            .by_handle = EOPNOTSUPP,
            .by_descriptor = refusal,
            .upper_too = upper != draft.uppers.end() && by_handle.contains(upper->second.device),
            .covered = refusal == ESTALE};
    }
    handle_marks_.keep_only(by_handle, draft.devices);
    descriptor_marks_.keep_only(by_descriptor, draft.devices);
}

void Arranger::publish(const Draft& draft) {
    std::vector<FileSystem> file_systems;
    std::ranges::copy(std::views::values(draft.file_systems), std::back_inserter(file_systems));
    std::vector<Mount> by_descriptor;
    for (const auto& [number, device] : draft.devices) {
        const auto marked = draft.marked.find(number);
        const bool has_handles = marked != draft.marked.end() && marked->second.by_handle == 0;
        if (!has_handles && device.kind != Kind::NotApplicable) {
            std::ranges::copy(device.wanted, std::back_inserter(by_descriptor));
        }
    }
    shared_.set_map(std::make_shared<const WatchMap>(
        draft.folders, std::move(file_systems), std::move(by_descriptor)));
}

}  // namespace vigia::sensors
