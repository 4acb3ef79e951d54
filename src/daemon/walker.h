// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "daemon/walk_plan.h"
#include "model/activity.h"
#include "overload/deferred_set.h"

namespace vigia::daemon {

// Looks for what events did not tell, and for what was put off: everything below a folder that was
// moved in, each file that was deferred, and after an overflow or a restart everything with a ctime
// in the interval (hard-parts 1, 8). One thread at the lowest priority of processor and disk; what
// it finds goes the way of every event. Catch-ups wait while the host is busy.
class Walker {
public:
    struct Report {
        std::uint64_t found = 0;
        WallTime since{};
        bool owed = false;  // something had been deferred or lost
        bool lost = false;
        std::vector<std::string> without_ctime = {};
    };

    struct Hooks {
        std::function<std::vector<std::string>()> watched_folders;
        std::function<std::vector<Mount>()> mounts;
        std::function<bool(const std::string& path)> is_watched;
        std::function<void(FileActivity&&)> offer;
        std::function<bool()> has_room;                   // in the queue; the walker waits for it
        std::function<bool()> is_busy;                    // the host: catch-ups wait
        std::function<bool()> full_walk;                  // where ctime says nothing
        std::function<std::optional<BootTime>()> oldest;  // of what has no verdict yet
        std::function<WallTime()> now;
        std::function<void(const Report&)> on_caught_up;
    };

    explicit Walker(Hooks hooks);
    Walker(const Walker&) = delete;
    Walker& operator=(const Walker&) = delete;
    ~Walker();

    void start();

    // For good. Others may go on telling it what to look for; the next start does.
    void stop();

    // Everything below this folder, whatever its age. Bounded: beyond 1,000 waiting folders it
    // becomes a catch-up without a lower limit.
    void walk_folder(std::string path);

    // Everything in the watched folders with a ctime of `since` or later. Several become one. Of
    // routine: nothing was deferred or lost, it is a new start.
    void catch_up(WallTime since);

    // The same because something was lost.
    void make_up(WallTime since);

    // To be judged afterwards, whatever has become of it by then.
    void defer(FileActivity&& activity, WallTime since);
    void defer_unnamed(FileSystemId fs, WallTime since);

    struct State {
        bool catching_up = false;  // wanted or under way, verdicts of all that was found included
        bool walking = false;
        bool owes = false;                   // for something that was deferred or lost
        std::optional<WallTime> since = {};  // the earliest that is looked for
        std::optional<WallTime> started = {};
        std::optional<WallTime> tainted_since = {};
        std::uint64_t deferred = 0;        // files, at least
        std::uint64_t found = 0;           // by the catch-up under way
        std::uint64_t folders = 0;         // the same
        std::optional<double> share = {};  // of it that is done, where it is known
        std::uint64_t recovered = 0;       // files found by all catch-ups
        std::uint64_t folders_walked = 0;  // folders that were moved in
        std::uint64_t problems = 0;        // that could not be read
        std::vector<std::string> without_ctime = {};
    };

    [[nodiscard]] State state() const;

private:
    struct Job {
        std::optional<std::string> folder;  // nothing: catch-up
        overload::DeferredSet::Work work = {};
        WallTime since{};
        bool owed = false;
    };

    void run(const std::stop_token& stop);
    std::optional<Job> next_job(const std::stop_token& stop);
    [[nodiscard]] Job begin_catch_up();
    void catch_up_now(Job job, const std::stop_token& stop);
    void offer_deferred(std::vector<FileActivity> files, const std::stop_token& stop);
    void walk_all(const Job& job, const std::stop_token& stop);
    [[nodiscard]] static std::vector<std::optional<WallTime>> begin_of_walks(
        const Job& job, const std::vector<WalkRoot>& roots);
    void walk_one(const WalkRoot& root, WallTime since, const std::stop_token& stop);
    void offer(FileActivity&& activity, const std::stop_token& stop);
    void walk_moved_in(const std::stop_token& stop);
    void pause(const std::stop_token& stop);
    void await_verdicts(const std::stop_token& stop);

    const Hooks hooks_;
    overload::DeferredSet deferred_;
    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any wake_;
    std::deque<std::string> folders_;
    std::optional<WallTime> routine_since_;
    std::optional<Job> current_;  // without its files
    std::optional<WallTime> started_;
    std::vector<std::string> without_ctime_;
    std::uint64_t to_offer_ = 0;      // files known one by one
    std::uint64_t folders_last_ = 0;  // of the last whole walk
    bool walks_ = false;              // the catch-up under way
    bool catches_up_ = false;         // the thread's own
    std::atomic<std::uint64_t> found_ = 0;
    std::atomic<std::uint64_t> folders_seen_ = 0;
    std::atomic<std::uint64_t> recovered_ = 0;
    std::atomic<std::uint64_t> folders_walked_ = 0;
    std::atomic<std::uint64_t> problems_ = 0;
    std::jthread thread_;
};

}  // namespace vigia::daemon
