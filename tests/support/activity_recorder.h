// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "sensors/fanotify/file_sensor.h"

namespace vigia::test {

// What the sensor handed on, without the descriptor: that would keep a mount busy.
struct Seen {
    ObjectId object;
    FileChanges changes = 0;
    std::string path;
    bool had_file = false;
    bool file_was_readable = false;
};

// Remembers what a FileSensor tells, for a test to wait for. Thread-safe.
class ActivityRecorder {
public:
    using Condition = std::function<bool(const std::vector<Seen>&)>;

    [[nodiscard]] sensors::FileSensor::Observer observer() {
        return {.on_activity = [this](FileActivity&& activity) { note(std::move(activity)); },
                .on_overflow =
                    [this](BootTime) {
                        const std::scoped_lock lock(mutex_);
                        ++overflows_;
                        changed_.notify_all();
                    }};
    }

    [[nodiscard]] bool wait(const Condition& condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kDeadline, [&] { return condition(seen_); });
    }

    // The first activity at this path that tells of this change.
    [[nodiscard]] std::optional<Seen> wait_for(const std::string& path, FileChange change) {
        std::optional<Seen> found;
        (void)wait([&](const std::vector<Seen>& seen) {
            const auto at = std::ranges::find_if(seen, [&](const Seen& one) {
                return one.path == path && has(one.changes, change);
            });
            if (at != seen.end()) {
                found = *at;
            }
            return found.has_value();
        });
        return found;
    }

    [[nodiscard]] bool wait_for_overflow() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kDeadline, [&] { return overflows_ > 0; });
    }

    [[nodiscard]] std::vector<Seen> seen() {
        const std::scoped_lock lock(mutex_);
        return seen_;
    }

    void forget() {
        const std::scoped_lock lock(mutex_);
        seen_.clear();
    }

    // While it is held the sensor's thread stands still at the next activity.
    [[nodiscard]] std::unique_lock<std::mutex> hold() { return std::unique_lock(mutex_); }

private:
    static constexpr auto kDeadline = std::chrono::seconds{10};

    void note(FileActivity&& activity) {
        const UniqueFd file = std::move(activity.file);
        Seen one{.object = std::move(activity.object),
                 .changes = activity.changes,
                 .path = std::move(activity.path_hint),
                 .had_file = static_cast<bool>(file)};
        one.file_was_readable = file && read_all(file.get(), 1U << 20U).has_value();
        const std::scoped_lock lock(mutex_);
        seen_.push_back(std::move(one));
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Seen> seen_;
    int overflows_ = 0;
};

}  // namespace vigia::test
