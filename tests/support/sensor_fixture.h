// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "host/mounts.h"
#include "sensors/fanotify/file_sensor.h"
#include "support/activity_recorder.h"
#include "support/playground.h"

namespace vigia::test {

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
            state.filtered.begin(),
            state.filtered.end(),
            std::uint64_t{0},
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
