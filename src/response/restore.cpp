// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "base/uuid.h"
#include "response/metadata.h"
#include "response/name_removal.h"
#include "response/object.h"
#include "response/work.h"

namespace vigia::response {
namespace {

// Where the file is to be.
struct Place {
    UniqueFd folder;  // readable: it is made durable in the end
    std::string base;
    std::string path;
};

// Nobody may lead the file elsewhere: what a user could plant below /etc would be a way to root.
Result<UniqueFd> open_target_folder(int at, const std::string& folder) {
    auto opened = open_beneath(at,
                               folder.c_str(),
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                               RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (opened) {
        return opened;
    }
    auto error = std::move(opened).error();
    const int code = error.code.value();
    if (code == ENOENT) {
        error.context = fmt::format(
            "the folder {} does not exist any more; make it, or restore "
            "to another place",
            printable(folder));
    } else if (code == ELOOP) {
        error.context = fmt::format(
            "the way to {} leads through a symbolic link; restore to the "
            "place it leads to",
            printable(folder));
    }
    return std::unexpected(std::move(error));
}

Result<Place> find_place(const QuarantineItem& item, const std::string& to) {
    const std::string wanted = to.empty() ? item.path : to;
    if (!wanted.starts_with('/')) {
        return fail(std::errc::invalid_argument,
                    "the place to restore to must be an absolute path: " + printable(wanted));
    }
    const auto split = split_path(wanted);
    Place place{.folder = TRY(open_target_folder(AT_FDCWD, split.folder)),
                .base = split.base,
                .path = wanted};
    struct stat there{};
    const bool into_folder =
        split.base.empty() ||
        (!to.empty() &&
         ::fstatat(place.folder.get(), split.base.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(there.st_mode));
    if (into_folder) {
        if (!split.base.empty()) {
            place.folder = TRY(open_target_folder(place.folder.get(), split.base));
        }
        place.base = split_path(item.path).base;
        place.path = wanted + (wanted.ends_with('/') ? "" : "/") + place.base;
    }
    if (place.base.empty()) {
        return fail(std::errc::invalid_argument, "name of a file: " + printable(wanted));
    }
    if (::fstatat(place.folder.get(), place.base.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
        return fail(std::errc::file_exists,
                    printable(place.path) +
                        " is there already; move it away, or restore to "
                        "another place");
    }
    return place;
}

// A file without a name, or (where the file system has none) with a private one that goes again
// unless it is given its real name. Nobody but root can open it.
class NewFile {
public:
    static Result<NewFile> create(int folder) {
        if (auto unnamed = open_at(folder, ".", O_TMPFILE | O_RDWR, 0600)) {
            return NewFile(folder, *std::move(unnamed), "");
        }
        auto name = ".vigia-restore-" + Uuid::random().text;
        auto file =
            TRY(open_at(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        return NewFile(folder, std::move(file), std::move(name));
    }

    NewFile(NewFile&& other) noexcept
        : folder_(other.folder_),
          file_(std::move(other.file_)),
          name_(std::exchange(other.name_, {})) {}

    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    NewFile& operator=(NewFile&&) = delete;

    ~NewFile() {
        if (!name_.empty()) {
            ::unlinkat(folder_, name_.c_str(), 0);
        }
    }

    [[nodiscard]] int get() const { return file_.get(); }

    // Never over an existing name.
    Result<> give_name(const std::string& base) {
        if (name_.empty()) {
            const auto link = fmt::format("/proc/self/fd/{}", file_.get());
            if (::linkat(AT_FDCWD, link.c_str(), folder_, base.c_str(), AT_SYMLINK_FOLLOW) < 0) {
                return fail_errno("give the restored file its name");
            }
            return {};
        }
        if (::renameat2(folder_, name_.c_str(), folder_, base.c_str(), RENAME_NOREPLACE) < 0) {
            return fail_errno("give the restored file its name");
        }
        name_.clear();
        return {};
    }

private:
    NewFile(int folder, UniqueFd file, std::string name)
        : folder_(folder), file_(std::move(file)), name_(std::move(name)) {}

    int folder_;
    UniqueFd file_;
    std::string name_;  // empty: unnamed
};

Result<> write_pieces(const Vault::Opened& stored, int file) {
    const auto sink = [file](const Piece& piece) -> Result<> {
        if (piece.zeros) {
            // Holes stay holes.
            return ::lseek(file, static_cast<off_t>(piece.bytes.size()), SEEK_CUR) < 0
                       ? Result<>(fail_errno("seek"))
                       : Result<>();
        }
        return write_all(file,
                         {reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size()});
    };
    TRY(read_content(stored.file.get(), stored.header, sink));
    if (::ftruncate(file, static_cast<off_t>(stored.header.item.size)) < 0) {
        return fail_errno("set the size");
    }
    return {};
}

void tell(const Work& work, int file, const Sha256& sha256) {
    if (const auto identity = identity_of(file); identity && work.hooks.on_restored) {
        work.hooks.on_restored(*identity, sha256);
    }
}

// The item as a file without its name, durable.
Result<NewFile> make_file(const Vault::Opened& stored, const Place& place) {
    auto file = TRY(NewFile::create(place.folder.get()));
    TRY(write_pieces(stored, file.get()));
    TRY(apply(file.get(), stored.header.item));
    if (::fsync(file.get()) < 0) {
        return fail_errno("make durable");
    }
    return file;
}

}  // namespace

Result<std::string> restore_item(const Work& work,
                                 const QuarantineItem& item,
                                 const std::string& to) {
    const std::string doing = "restore " + printable(item.path);
    const auto stored = TRY(work.vault.open_item(item), doing);
    const auto place = TRY(find_place(item, to), doing);
    auto file = TRY(make_file(stored, place), doing);
    // Before anybody can see it, so that the monitor's event meets the exception; and again with
    // the ctime that its name gives it.
    tell(work, file.get(), item.sha256);
    TRY(file.give_name(place.base), doing);
    tell(work, file.get(), item.sha256);
    if (::fsync(place.folder.get()) < 0) {
        return fail_errno(doing + ": make its folder durable");
    }
    return place.path;
}

}  // namespace vigia::response
