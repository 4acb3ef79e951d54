// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "host/mounts.h"
#include "sensors/fanotify/file_sensor.h"
#include "support/playground.h"

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

// A sensor on mounts of the test's own.
class SensorFixture : public ::testing::Test {
protected:
    using FileSensor = sensors::FileSensor;

    void open_sensor() {
        auto sensor = FileSensor::open(recorder_.observer());
        ASSERT_TRUE(sensor) << sensor.error().message();
        sensor_ = *std::move(sensor);
    }

    // Opens it the first time. The mounts are those of this moment.
    void watch(const std::vector<std::filesystem::path>& folders) {
        plan_.folders.assign(folders.begin(), folders.end());
        apply();
    }

    void apply() {
        if (!sensor_) {
            ASSERT_NO_FATAL_FAILURE(open_sensor());
        }
        auto mounts = host::list_mounts();
        ASSERT_TRUE(mounts) << mounts.error().message();
        plan_.mounts = *std::move(mounts);
        sensor_->apply(plan_);
    }

    // Everything done before on this file system has been read when it returns.
    void settle(const std::filesystem::path& watched) {
        const auto mark = watched / (".settle-" + std::to_string(settled_++));
        write_file(mark, "x");
        ASSERT_TRUE(recorder_.wait_for(mark, FileChange::ClosedAfterWrite));
    }

    [[nodiscard]] bool was_seen(std::string_view path) {
        const auto all = recorder_.seen();
        return std::ranges::any_of(all, [&](const Seen& one) { return one.path == path; });
    }

    [[nodiscard]] FileSensor::Place place(const std::filesystem::path& point) const {
        for (const auto& one : sensor_->state().places) {
            if (one.path == point) {
                return one;
            }
        }
        return {};
    }

    // hard-parts 7: every record read is accounted for, at any moment.
    void expect_accounts_balance() const {
        const auto state = sensor_->state();
        const auto filtered = std::accumulate(
            state.filtered.begin(), state.filtered.end(), std::uint64_t{0},
            [](std::uint64_t sum, const auto& reason) { return sum + reason.second; });
        EXPECT_EQ(state.read, state.delivered + filtered + state.overflows);
    }

    [[nodiscard]] static ObjectId object_at(const std::filesystem::path& path) {
        const auto file = open_at(AT_FDCWD, path.c_str(), O_PATH | O_NOFOLLOW);
        EXPECT_TRUE(file) << path;
        const auto object = FileSensor::identify(file ? file->get() : -1);
        EXPECT_TRUE(object);
        return object.value_or(ObjectId{});
    }

    Playground playground_;
    ActivityRecorder recorder_;
    FileSensor::Plan plan_;
    std::unique_ptr<FileSensor> sensor_;  // goes before what it reports to
    int settled_ = 0;
};

}  // namespace vigia::test
