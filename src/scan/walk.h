// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::scan {

struct WalkEntry {
    std::string path;  // begins with the root as given; bytes
    int folder = -1;   // descriptor of its folder, valid during the callback
    const char* name = nullptr;
    std::uint64_t size = 0;
    std::int64_t ctime_ns = 0;
    std::uint64_t inode = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint32_t links = 1;
};

struct WalkProblem {
    std::string path;
    std::string reason;  // "open: Permission denied"
};

struct WalkOptions {
    bool cross_mounts = true;  // pseudo file systems are never entered
    unsigned max_depth = 256;
    // Asked for each folder below the root; false: leave out this subtree.
    std::function<bool(const std::string& folder)> enter = {};
    std::function<bool()> stop = {};  // asked for every entry
};

// Regular files below `path` (or `path` itself), in folder order, without following symbolic links
// (the last component of `path` included), opening nothing but folders, and these only beneath the
// root (openat2, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): a folder swapped for a link leads nowhere.
// At most three descriptors at a time; memory bounded by the depth (64 KiB of names for each
// level). Blocking. Each folder that cannot be read is a problem, never the end of the walk; so is
// what lies deeper than max_depth, and a root that is neither folder nor regular file. An error is
// returned only when `path` itself is not there or a symbolic link.
[[nodiscard]] Result<> walk(const std::string& path,
                            const WalkOptions& options,
                            const std::function<void(const WalkEntry&)>& on_file,
                            const std::function<void(const WalkProblem&)>& on_problem);

// The same from an open folder, whatever its name leads to by now; `shown` is what its paths begin
// with. For a folder known by its handle.
[[nodiscard]] Result<> walk_folder(int folder,
                                   const std::string& shown,
                                   const WalkOptions& options,
                                   const std::function<void(const WalkEntry&)>& on_file,
                                   const std::function<void(const WalkProblem&)>& on_problem);

}  // namespace vigia::scan
