// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace vigia::response {

// Looks for the names of one object below folders: no symbolic link is followed, no mount and no
// file system is entered. Folders are held by descriptor, so renames meanwhile do not mislead it.
class LinkSearch {
public:
    // The folder (O_PATH will not do: it is being read) and the name in it; false: enough.
    using Found = std::function<bool(int folder, const std::string& name)>;

    LinkSearch(const struct stat& object, bool dirents_tell_inodes, BootTime deadline, Found found)
        : object_(object),
          dirents_tell_inodes_(dirents_tell_inodes),
          deadline_(deadline),
          found_(std::move(found)) {}

    enum class End : std::uint8_t {
        Complete,  // all of it was seen
        Cut,       // the deadline, a folder that could not be read, or one too deep
        Enough,    // `found` said so
    };

    // A folder on another file system is Complete: the object has no names there. A folder searched
    // before ends as it ended then.
    [[nodiscard]] End below(const std::string& folder);
    [[nodiscard]] End below(UniqueFd folder);

    // This folder only.
    [[nodiscard]] End inside(UniqueFd folder);

private:
    [[nodiscard]] End walk(UniqueFd folder, bool recursive);
    [[nodiscard]] bool is_last(int folder, const dirent& entry) const;

    struct stat object_;
    bool dirents_tell_inodes_;
    BootTime deadline_;
    Found found_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, End> searched_;  // mount id, inode of a root
};

}  // namespace vigia::response
