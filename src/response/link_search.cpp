// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/link_search.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "response/object.h"

namespace vigia::response {
namespace {

// One descriptor per level: far below the usual limit of 1024. Deeper is `Cut`, and said.
constexpr std::size_t kMaxDepth = 400;

struct CloseDir {
    void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

using DirPtr = std::unique_ptr<DIR, CloseDir>;

DirPtr to_dir(UniqueFd folder) {
    DirPtr dir(::fdopendir(folder.get()));
    if (dir) {
        std::ignore = folder.release();  // the DIR closes it
    }
    return dir;
}

bool is_dots(std::string_view name) {
    return name == "." || name == "..";
}

bool is_folder(int parent, const dirent& entry) {
    if (entry.d_type != DT_UNKNOWN) {
        return entry.d_type == DT_DIR;
    }
    struct stat found{};
    return ::fstatat(parent, entry.d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(found.st_mode);
}

enum class Descent : std::uint8_t { Entered, NotHere, Failed };

// NotHere: it has gone, or a mount or another file system (a subvolume) begins there.
Descent enter(int parent, const char* name, dev_t device, std::vector<DirPtr>& levels) {
    if (levels.size() >= kMaxDepth) {
        return Descent::Failed;
    }
    auto folder = open_beneath(parent,
                               name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                               RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
    if (!folder) {
        const int error = folder.error().code.value();
        const bool not_here =
            error == EXDEV || error == ENOENT || error == ENOTDIR || error == ELOOP;
        return not_here ? Descent::NotHere : Descent::Failed;
    }
    struct stat info{};
    if (::fstat(folder->get(), &info) < 0) {
        return Descent::Failed;
    }
    if (info.st_dev != device) {
        return Descent::NotHere;
    }
    auto dir = to_dir(*std::move(folder));
    if (!dir) {
        return Descent::Failed;
    }
    levels.push_back(std::move(dir));
    return Descent::Entered;
}

}  // namespace

// Tells of a name of the object. True: no other is wanted.
bool LinkSearch::is_last(int folder, const dirent& entry) const {
    if (dirents_tell_inodes_ && entry.d_ino != object_.st_ino) {
        return false;
    }
    struct stat found{};
    return ::fstatat(folder, entry.d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_same_object(found, object_) && !found_(folder, entry.d_name);
}

LinkSearch::End LinkSearch::below(const std::string& folder) {
    auto opened = open_at(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (!opened) {
        return opened.error().code.value() == ENOENT ? End::Complete : End::Cut;
    }
    return below(*std::move(opened));
}

LinkSearch::End LinkSearch::below(UniqueFd folder) {
    struct statx info{};
    if (::statx(folder.get(), "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &info) < 0) {
        return End::Cut;
    }
    const auto key = std::pair<std::uint64_t, std::uint64_t>(info.stx_mnt_id, info.stx_ino);
    if (const auto before = searched_.find(key); before != searched_.end()) {
        return before->second;
    }
    const auto end = walk(std::move(folder), true);
    searched_.emplace(key, end);
    return end;
}

LinkSearch::End LinkSearch::inside(UniqueFd folder) {
    return walk(std::move(folder), false);
}

LinkSearch::End LinkSearch::walk(UniqueFd folder, bool recursive) {
    struct stat info{};
    if (::fstat(folder.get(), &info) < 0) {
        return End::Cut;
    }
    if (info.st_dev != object_.st_dev) {
        return End::Complete;
    }
    auto root = to_dir(std::move(folder));
    if (!root) {
        return End::Cut;
    }
    std::vector<DirPtr> levels;
    levels.push_back(std::move(root));
    End end = End::Complete;
    while (!levels.empty() && end != End::Enough) {
        DIR* const dir = levels.back().get();
        const dirent* entry = ::readdir(dir);  // NOLINT(concurrency-mt-unsafe): own DIR
        if (entry == nullptr) {
            levels.pop_back();
        } else if (Clock::boot() > deadline_) {
            return End::Cut;
        } else if (!is_folder(::dirfd(dir), *entry)) {
            end = is_last(::dirfd(dir), *entry) ? End::Enough : end;
        } else if (recursive && !is_dots(entry->d_name) &&
                   enter(::dirfd(dir), entry->d_name, object_.st_dev, levels) == Descent::Failed) {
            end = End::Cut;
        }
    }
    return end;
}

}  // namespace vigia::response
