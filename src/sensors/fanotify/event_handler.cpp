// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/event_handler.h"

#include <fcntl.h>
#include <sys/fanotify.h>

#include <array>
#include <chrono>
#include <utility>

#include "base/files.h"

namespace vigia::sensors {
namespace {

// While a folder that was moved in is being walked, folders below it may be moved on and escape the
// walk. We do not see when the walk ends, so for this long every moved folder is walked again.
constexpr auto kUnknownAfterMove = std::chrono::minutes{10};

constexpr std::uint64_t kArrivals = FAN_RENAME | FAN_MOVED_TO;

FileChanges changes_of(std::uint64_t mask) {
    struct Meaning {
        std::uint64_t bits;
        FileChange change;
    };

    constexpr std::array kMeanings{Meaning{FAN_CLOSE_WRITE, FileChange::ClosedAfterWrite},
                                   Meaning{FAN_CREATE, FileChange::Created},
                                   Meaning{FAN_MODIFY, FileChange::Modified},
                                   Meaning{kArrivals, FileChange::MovedIn}};
    FileChanges changes = 0;
    for (const auto& meaning : kMeanings) {
        if ((mask & meaning.bits) != 0) {
            changes |= static_cast<FileChanges>(meaning.change);
        }
    }
    return changes;
}

// Where the object is now; null if the kernel does not say.
const wire::FolderEntry* place_now(const wire::FanotifyRecord& record) {
    const auto& place = record.moved_to ? record.moved_to : record.entry;
    return place ? &*place : nullptr;
}

}  // namespace

void EventHandler::begin_batch(BootTime after) {
    after_ = after;
    if (auto newest = shared_.map(); newest != map_) {
        resolver_.close_mounts();
        resolver_.forget();
        map_ = std::move(newest);
    }
}

void EventHandler::overflowed(BootTime at) {
    // Renames of folders may be among what was lost.
    resolver_.forget();
    unknown_until_ = at + kUnknownAfterMove;
    shared_.overflowed(at);
}

std::optional<Reason> EventHandler::handle(const wire::FanotifyRecord& record, BootTime at) {
    if (record.file >= 0) {
        return handle_descriptor(record, at);
    }
    if (record.malformed || !record.object) {
        return Reason::Malformed;
    }
    const Event event{.record = record, .object = *record.object, .at = at};
    const auto* entry = place_now(record);
    if ((record.mask & FAN_ONDIR) != 0) {
        const bool moved = (record.mask & kArrivals) != 0;
        return entry != nullptr && moved ? handle_folder(event, *entry) : Reason::Folder;
    }
    return entry != nullptr ? handle_file(event, *entry) : handle_nameless(event);
}

EventHandler::Outcome EventHandler::handle_file(const Event& event,
                                                const wire::FolderEntry& entry) {
    const auto placed = resolver_.place_of(*map_, entry.folder);
    if (!placed) {
        return not_inside(event, placed.error());
    }
    if (!(*placed)->is_inside()) {
        const bool own = (*placed)->where == Where::Own;
        return not_inside(event, own ? Reason::Own : Reason::OutsideWatch);
    }
    auto path = join((*placed)->path, entry.name);
    remember_link(event, path);
    deliver(event, changes_of(event.record.mask), std::move(path));
    return std::nullopt;
}

EventHandler::Outcome EventHandler::not_inside(const Event& event, Reason reason) {
    const auto written = event.record.mask & (FAN_CLOSE_WRITE | FAN_MODIFY);
    if (linked_.is_empty() || written == 0) {
        return reason;
    }
    const auto* name_inside = linked_.find(event.object);
    if (name_inside == nullptr) {
        return reason;
    }
    deliver(event, changes_of(written), *name_inside);
    return std::nullopt;
}

void EventHandler::remember_link(const Event& event, const std::string& path) {
    const auto mask = event.record.mask;
    // Whoever creates a file and closes it in the same event has given it one name so far.
    if ((mask & (FAN_CREATE | kArrivals)) == 0 || (mask & FAN_CLOSE_WRITE) != 0) {
        return;
    }
    const auto* fs = map_->find(event.object.fs);
    if (fs != nullptr && resolver_.links_of(*fs, event.object) > 1) {
        linked_.put(event.object, path);
    }
}

// The kernel knows no folder: the file was opened by its handle (a file server does). What cannot
// be placed is handed on: better one scan too many.
EventHandler::Outcome EventHandler::handle_nameless(const Event& event) {
    const auto* fs = map_->find(event.object.fs);
    if (fs == nullptr) {
        return Reason::OutsideWatch;
    }
    Placement placed{.where = Where::Watched};
    if (const auto path = resolver_.path_in_fs(*fs, event.object)) {
        placed = map_->place(*fs, *path);
    } else if (path.error() != Reason::OutsideWatch) {
        return path.error();
    }
    if (!placed.is_inside()) {
        return placed.where == Where::Own ? Reason::Own : Reason::OutsideWatch;
    }
    deliver(event, changes_of(event.record.mask), std::move(placed.path));
    return std::nullopt;
}

EventHandler::Outcome EventHandler::handle_folder(const Event& event,
                                                  const wire::FolderEntry& entry) {
    resolver_.forget();
    const auto* fs = map_->find(entry.folder.fs);
    if (fs == nullptr) {
        return Reason::Folder;
    }
    const auto folder = resolver_.path_in_fs(*fs, entry.folder);
    if (!folder) {
        return folder.error() == Reason::OutsideWatch ? Reason::Folder : folder.error();
    }
    const auto path = join(*folder, entry.name);
    auto to = map_->place(*fs, path);
    if (!to.is_inside()) {
        const auto delivered = deliver_watched_below(event, *fs, path);
        return delivered == 0 ? Outcome(Reason::Folder) : std::nullopt;
    }
    if (!needs_walk(event, to)) {
        return Reason::Folder;
    }
    unknown_until_ = event.at + kUnknownAfterMove;
    deliver(event, static_cast<FileChanges>(FileChange::FolderMovedIn), std::move(to.path));
    return std::nullopt;
}

bool EventHandler::needs_walk(const Event& event, const Placement& to) {
    if (!event.record.moved_from || event.at < unknown_until_) {
        return true;
    }
    const auto from = place_of_entry(*event.record.moved_from);
    return !from.is_inside() || (from.where == Where::Excluded && to.where != Where::Excluded);
}

// Outside also if nobody can tell any more where it was.
Placement EventHandler::place_of_entry(const wire::FolderEntry& entry) {
    const auto* fs = map_->find(entry.folder.fs);
    if (fs == nullptr) {
        return {};
    }
    const auto folder = resolver_.path_in_fs(*fs, entry.folder);
    return folder ? map_->place(*fs, join(*folder, entry.name)) : Placement{};
}

// The folder above a watched one came to its name: what lies in the watched one is new.
std::size_t EventHandler::deliver_watched_below(const Event& event,
                                                const FileSystem& fs,
                                                const std::string& path) {
    std::size_t delivered = 0;
    for (auto& below : map_->watched_below(fs, path)) {
        const auto folder = open_at(AT_FDCWD, below.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (!folder) {
            continue;
        }
        if (auto id = FileSensor::identify(folder->get())) {
            shared_.deliver({.object = std::move(*id),
                             .changes = static_cast<FileChanges>(FileChange::FolderMovedIn),
                             .path_hint = std::move(below),
                             .pid = event.record.pid,
                             .read_at = event.at});
            ++delivered;
        }
    }
    if (delivered > 0) {
        unknown_until_ = event.at + kUnknownAfterMove;
    }
    return delivered;
}

EventHandler::Outcome EventHandler::handle_descriptor(const wire::FanotifyRecord& record,
                                                      BootTime at) {
    UniqueFd file(record.file);
    if (record.malformed) {
        return Reason::Malformed;
    }
    const auto mount = mount_id_of(file.get());
    auto path = path_of(file.get());
    if (!mount || !path) {
        return Reason::Unreachable;
    }
    auto placed = map_->place_descriptor(*mount, *path);
    if (!placed.is_inside()) {
        return placed.where == Where::Own ? Reason::Own : Reason::OutsideWatch;
    }
    shared_.deliver({.object = {},
                     .changes = changes_of(record.mask),
                     .path_hint = std::move(placed.path),
                     .pid = record.pid,
                     .read_at = at,
                     .file = std::move(file)});
    return std::nullopt;
}

void EventHandler::deliver(const Event& event, FileChanges changes, std::string path) {
    shared_.deliver({.object = event.object,
                     .changes = changes,
                     .path_hint = std::move(path),
                     .pid = event.record.pid,
                     .read_at = event.at,
                     .after = after_});
}

}  // namespace vigia::sensors
