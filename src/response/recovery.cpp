// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/files.h"
#include "base/text.h"
#include "response/name_removal.h"
#include "response/object.h"
#include "response/removal.h"
#include "response/work.h"

// What a kill interrupted (hard-parts 18): the journal says how far it had come, the object is
// found again by its handle.
namespace vigia::response {
namespace {

constexpr const char* kUndone = "undone";

struct Anchor {
    UniqueFd folder;  // readable, on the object's file system
    bool file_system_gone = false;
};

// The nearest folder that still exists on the way to the object, by which its file system is
// reached.
Anchor find_anchor(const QuarantineItem& item) {
    std::string path = item.taking.empty() ? item.path : item.taking;
    Anchor anchor;
    while (!path.empty()) {
        path = split_path(path).folder;
        if (auto folder = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY)) {
            anchor.folder = *std::move(folder);
            break;
        }
        if (path == "/") {
            break;
        }
    }
    const auto here = anchor.folder ? file_system_of(anchor.folder.get())
                                    : Result<FileSystemId>(fail(std::errc::not_connected, "/"));
    if (here && *here == FileSystemId{.word0 = item.fs0, .word1 = item.fs1}) {
        return anchor;
    }
    // A tmpfs of another identity: ours has ended, with all that was on it.
    struct statfs info{};
    anchor.file_system_gone =
        anchor.folder && ::fstatfs(anchor.folder.get(), &info) == 0 && info.f_type == TMPFS_MAGIC;
    anchor.folder.reset();
    return anchor;
}

Result<UniqueFd> open_by_handle(int mount, const QuarantineItem& item) {
    alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> buffer{};
    if (item.object_handle.empty() || item.object_handle.size() > MAX_HANDLE_SZ) {
        return fail(std::errc::not_supported, "no file handle");
    }
    auto* handle = reinterpret_cast<file_handle*>(buffer.data());
    handle->handle_type = item.object_handle_type;
    handle->handle_bytes = static_cast<unsigned>(item.object_handle.size());
    std::memcpy(buffer.data() + offsetof(file_handle, f_handle),
                item.object_handle.data(),
                item.object_handle.size());
    const int fd = ::open_by_handle_at(mount, handle, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno("open_by_handle_at");
    }
    return UniqueFd{fd};
}

// Where the file system has no handles: a name that still leads to the inode.
std::optional<UniqueFd> open_by_name(const QuarantineItem& item) {
    for (const auto& path : {item.taking, item.path}) {
        auto file = open_at(AT_FDCWD, path.c_str(), O_PATH | O_NOFOLLOW);
        const auto info = file ? stat_of(file->get()) : std::unexpected(file.error());
        if (info && info->st_ino == item.inode && S_ISREG(info->st_mode)) {
            if (auto readable = reopen(file->get(), O_RDONLY | O_NONBLOCK)) {
                return *std::move(readable);
            }
        }
    }
    return std::nullopt;
}

struct Found {
    UniqueFd object;    // none: it is gone for good
    bool known = true;  // false: cannot be told now
};

Found find_object(const QuarantineItem& item, const Anchor& anchor) {
    if (!anchor.folder) {
        return {.object = {}, .known = anchor.file_system_gone};
    }
    auto object = open_by_handle(anchor.folder.get(), item);
    if (object) {
        return {.object = *std::move(object)};
    }
    const int error = object.error().code.value();
    if (error == ESTALE) {
        return {};
    }
    if (auto named = open_by_name(item)) {
        return {.object = *std::move(named)};
    }
    return {.object = {}, .known = error == EOPNOTSUPP};
}

Report report_of(const QuarantineItem& item, Outcome outcome, std::string detail) {
    return {.outcome = outcome, .item = item, .open_elsewhere = false, .detail = std::move(detail)};
}

Report undone(const Work& work, const QuarantineItem& item, std::string detail) {
    return undo(work, report_of(item, Outcome::ChangedMeanwhile, std::move(detail)), kUndone);
}

// Names that had gone before the kill: the journal need not have the last of them.
void add_lost_names(QuarantineItem& item, int object) {
    for (const auto& path : {item.path, item.taking}) {
        const bool listed = std::ranges::find(item.names_removed, path) != item.names_removed.end();
        if (!path.empty() && !listed && !leads_to(path, object)) {
            item.names_removed.push_back(path);
        }
    }
}

// All names are gone, or emptied: only the journal did not know yet.
Report done(const Work& work, QuarantineItem item, Outcome outcome, std::string detail) {
    item.state = QuarantineState::Quarantined;
    item.outcome = to_string(outcome);
    if (outcome == Outcome::Quarantined) {
        add_lost_names(item, -1);
    }
    item.taking.clear();
    if (auto recorded = work.hooks.record(item); !recorded) {
        detail += "; not in the journal: " + recorded.error().message();
    }
    return report_of(item, outcome, std::move(detail));
}

// What lies under the private name, ours or caught by mistake, gets its name back; then the work
// begins anew from there.
void put_private_name_back(const QuarantineItem& item, int object) {
    NameRemoval names({.object = object,
                       .private_name = private_name_of(item),
                       .guard = nullptr,
                       .may_remove = {},
                       .announce = {},
                       .step = {}});
    if (const auto folder = open_folder_of(item.taking)) {
        names.put_back(folder->get(), split_path(item.taking).base);
    }
}

Report go_on(const Work& work, const QuarantineItem& item, int object) {
    const auto info = stat_of(object);
    auto guard = ContentGuard::create(object, item.sha256);
    if (!info || !guard) {
        return report_of(item, Outcome::Failed, "the file cannot be examined");
    }
    if (info->st_nlink == 0) {
        const auto outcome = item.links > 0 ? Outcome::Quarantined : Outcome::Vanished;
        return done(work, item, outcome, "finished after a restart");
    }
    const auto same = guard->has_judged_content();
    if (!same) {
        return report_of(item, Outcome::Failed, same.error().message());
    }
    if (*same) {
        auto report = report_of(item, Outcome::Failed, {});
        if (info->st_nlink < item.links) {
            add_lost_names(report.item, object);
        }
        return finish(work, std::move(report), object, *guard);
    }
    if (item.outcome == to_string(Outcome::Truncated) && info->st_size == 0) {
        return done(work, item, Outcome::Truncated, "its content was emptied");
    }
    if (info->st_nlink < item.links) {
        return done(work,
                    item,
                    Outcome::NamesLeft,
                    "the file has changed since; names that it still has were left");
    }
    return undone(work, item, "the file has changed since");
}

Report recover_removing(const Work& work, const QuarantineItem& item) {
    const auto anchor = find_anchor(item);
    auto found = find_object(item, anchor);
    if (!found.known) {
        return report_of(item,
                         Outcome::Failed,
                         "the file system of " + printable(item.path) + " is not mounted now");
    }
    put_private_name_back(item, found.object.get());
    if (!found.object && item.object_handle.empty()) {
        found = find_object(item, anchor);  // its name is only now back
    }
    if (auto whole = work.vault.verify(item); !whole) {
        return found.object ? undone(work, item, whole.error().message())
                            : report_of(item, Outcome::Failed, whole.error().message());
    }
    return found.object ? go_on(work, item, found.object.get())
                        : done(work, item, Outcome::Quarantined, "finished after a restart");
}

Report recover_storing(const Work& work, const QuarantineItem& item) {
    const auto found = find_object(item, find_anchor(item));
    // A file that had no name any more, or has lost it since: the copy is all there is of it.
    if (found.known && !found.object && work.vault.verify(item)) {
        return done(work, item, Outcome::Vanished, "finished after a restart");
    }
    return undone(work, item, "interrupted before anything was taken");
}

}  // namespace

Report recover_item(const Work& work, const QuarantineItem& item) {
    switch (item.state) {
        case QuarantineState::Storing:
            return recover_storing(work, item);
        case QuarantineState::Removing:
            return recover_removing(work, item);
        case QuarantineState::Quarantined:
        case QuarantineState::Restored:
        case QuarantineState::Deleted:
            break;
    }
    return report_of(item, Outcome::Failed, "nothing was interrupted");
}

}  // namespace vigia::response
