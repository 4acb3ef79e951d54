// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/activity.h"

namespace vigia::overload {

// What was not looked at when it changed: each file by its handle while there are few of them, and
// beyond that by file system and time, so that memory stays bounded and a walk by ctime finds them.
// It is in memory only: while it is not empty the caller moves no watermark, and a restart walks
// from there. Thread-safe; every member is quick.
class DeferredSet {
public:
    struct Options {
        // About 400 bytes each, with handle, name and the table's node.
        std::size_t most_files = 20'000;
    };

    DeferredSet() : DeferredSet(Options{}) {}

    explicit DeferredSet(Options options) : options_(options) {}

    // This file has to be judged later; what changed had changed since `since`. Several events of a
    // file are one. One without a handle (descriptor mode) means that all has to be walked.
    void defer(FileActivity&& activity, WallTime since);

    // A file of this file system that could not be kept by its handle.
    void defer_unnamed(FileSystemId fs, WallTime since);

    // Anything may have changed anywhere since then.
    void taint(WallTime since);

    struct Work {
        std::vector<FileActivity> files = {};        // known one by one
        std::map<FileSystemId, WallTime> walk = {};  // what has to be walked, since when
        std::optional<WallTime> walk_all = {};       // all of them
        std::uint64_t deferred = 0;                  // files behind it, at least

        [[nodiscard]] bool empty() const { return files.empty() && walk.empty() && !walk_all; }
    };

    // All there is; the set is empty then, and what comes from now on is new.
    [[nodiscard]] Work take();

    struct FileSystem {
        FileSystemId id = {};
        WallTime since{};
        std::uint64_t files = 0;  // events, once they are no longer known one by one
        bool known = true;        // one by one
    };

    struct State {
        std::vector<FileSystem> file_systems = {};
        std::optional<WallTime> tainted_since = {};
        std::optional<WallTime> since = {};  // the earliest of all
        std::uint64_t files = 0;             // at least

        [[nodiscard]] bool empty() const { return !since; }
    };

    [[nodiscard]] State state() const;

private:
    void forget_names(FileSystem& one);

    const Options options_;
    mutable std::mutex mutex_;  // guards all below
    std::unordered_map<ObjectId, FileActivity> files_;
    std::map<FileSystemId, FileSystem> file_systems_;
    std::optional<WallTime> tainted_since_;
    std::uint64_t nameless_ = 0;  // without a handle
};

}  // namespace vigia::overload
