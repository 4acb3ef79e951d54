// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/resolver.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <ranges>
#include <string_view>
#include <utility>

#include "base/files.h"

namespace vigia::sensors {
namespace {

// More mounts than this of one file system, none showing its root, are not asked for one folder.
constexpr std::size_t kMountsAsked = 256;

bool is_same_inode(int one, int other) {
    struct stat first{};
    struct stat second{};
    return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 &&
           first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

// The kernel's name for an object that has none any more ends so; a living one may be called so
// too.
void cut_deleted_mark(int object, std::string& path) {
    constexpr std::string_view kMark = " (deleted)";
    struct stat status{};
    if (path.ends_with(kMark) && ::fstat(object, &status) == 0 && status.st_nlink == 0) {
        path.resize(path.size() - kMark.size());
    }
}

// The object's path inside the file system, if this mount shows it. For one outside of the part
// that is mounted the kernel says "/" (measured).
std::optional<std::string> path_through(const MountSession::Opened& opened,
                                        const Mount& mount,
                                        int object) {
    auto path = path_of(object);
    if (!path) {
        return std::nullopt;
    }
    cut_deleted_mark(object, *path);
    if (*path == "/" && !is_same_inode(object, opened.root.get())) {
        return std::nullopt;
    }
    return rebase(*path, opened.path, mount.root);
}

}  // namespace

std::expected<const Placement*, Reason> Resolver::place_of(const WatchMap& map,
                                                           const ObjectId& folder) {
    if (const auto* known = places_.find(folder)) {
        return known;
    }
    const auto* fs = map.find(folder.fs);
    if (fs == nullptr) {
        return std::unexpected(Reason::OutsideWatch);
    }
    const auto path = path_in_fs(*fs, folder);
    if (path) {
        return &places_.put(folder, map.place(*fs, *path));
    }
    if (path.error() == Reason::OutsideWatch) {
        return &places_.put(folder, {});
    }
    return std::unexpected(path.error());
}

std::expected<std::string, Reason> Resolver::path_in_fs(const FileSystem& fs,
                                                        const ObjectId& object) {
    Reason reason = Reason::Unreachable;
    for (const auto& mount : fs.mounts | std::views::take(kMountsAsked)) {
        const auto* opened = session_.open(fs, mount);
        if (opened == nullptr) {
            continue;
        }
        const auto found = open_by_handle(opened->root.get(), object.handle);
        if (!found) {
            reason = found.error().code.value() == ESTALE ? Reason::Vanished : Reason::Unreachable;
            continue;
        }
        if (auto path = path_through(*opened, mount, found->get())) {
            return *std::move(path);
        }
        reason = Reason::OutsideWatch;
    }
    return std::unexpected(reason);
}

unsigned Resolver::links_of(const FileSystem& fs, const ObjectId& object) {
    for (const auto& mount : fs.mounts | std::views::take(kMountsAsked)) {
        const auto* opened = session_.open(fs, mount);
        if (opened == nullptr) {
            continue;
        }
        struct stat status{};
        const auto found = open_by_handle(opened->root.get(), object.handle);
        const bool is_file =
            found && ::fstat(found->get(), &status) == 0 && S_ISREG(status.st_mode);
        return is_file ? static_cast<unsigned>(status.st_nlink) : 0;
    }
    return 0;
}

}  // namespace vigia::sensors
