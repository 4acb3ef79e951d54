// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/activity.h"

namespace vigia::daemon {

// Looks for what events did not tell: everything below a folder that was moved in, and after an
// overflow, a deferral or a restart everything with a ctime in the interval (hard-parts 1, 8).
// One thread at idle priority; what it finds goes the way of every event.
class Walker {
public:
    struct Hooks {
        std::function<std::vector<std::string>()> watched_folders;
        std::function<bool(const std::string& path)> is_watched;
        std::function<void(FileActivity&&)> offer;
        std::function<bool()> has_room;  // in the queue; the walker waits for it
        std::function<void(std::uint64_t found, WallTime since)> on_caught_up;
    };

    explicit Walker(Hooks hooks);
    Walker(const Walker&) = delete;
    Walker& operator=(const Walker&) = delete;
    ~Walker();

    void start();

    // Everything below this folder, whatever its age. Bounded: beyond 1,000 waiting folders it
    // becomes a catch-up without a lower limit.
    void walk_folder(std::string path);

    // Everything in the watched folders with a ctime of `since` or later. Several become one.
    void catch_up(WallTime since);

    struct State {
        bool catching_up = false;     // wanted or under way
        std::uint64_t recovered = 0;  // files found by catch-ups
        std::uint64_t folders_walked = 0;
        std::uint64_t problems = 0;  // folders that could not be read
    };

    [[nodiscard]] State state() const;

private:
    struct Job {
        std::optional<std::string> folder;  // nothing: catch-up
        WallTime since{};
    };

    void run(const std::stop_token& stop);
    std::optional<Job> next_job(const std::stop_token& stop);
    void do_job(const Job& job, const std::stop_token& stop);
    std::uint64_t walk_one(const std::string& root, WallTime since, const std::stop_token& stop);

    const Hooks hooks_;
    mutable std::mutex mutex_;  // guards folders_, catch_up_since_, catching_up_
    std::condition_variable_any wake_;
    std::deque<std::string> folders_;
    std::optional<WallTime> catch_up_since_;
    bool catching_up_ = false;
    std::atomic<std::uint64_t> recovered_ = 0;
    std::atomic<std::uint64_t> folders_walked_ = 0;
    std::atomic<std::uint64_t> problems_ = 0;
    std::jthread thread_;
};

}  // namespace vigia::daemon
