// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "support/sensor_fixture.h"

namespace vigia::test {

inline constexpr std::string_view kContent = "content of some length";

// A watched folder, one of our own in it, and an unwatched one, on a file system of the kind that
// is the parameter.
class Arrivals : public SensorFixture, public ::testing::WithParamInterface<std::string> {
protected:
    void SetUp() override {
        constexpr unsigned kMebibytes = 320;  // mkfs.xfs makes none below 300
        disk_ = GetParam() == "tmpfs" ? playground_.tmpfs("disk", "size=64m")
                                      : playground_.loop("disk", GetParam(), kMebibytes);
        if (HasFailure()) {
            GTEST_SKIP() << "no " << GetParam() << " here: see the failures above";
        }
        for (const auto& folder : {inside(), outside(), own()}) {
            std::filesystem::create_directories(folder);
        }
        plan_.own_folders = {own()};
        watch({inside()});
        ASSERT_EQ(place(disk_).state, "watched") << place(disk_).detail;
        ASSERT_EQ(place(disk_).backend, "fanotify-fid");
    }

    void TearDown() override {
        if (sensor_) {
            expect_accounts_balance();
        }
    }

    [[nodiscard]] std::filesystem::path inside() const { return disk_ / "inside"; }

    [[nodiscard]] std::filesystem::path outside() const { return disk_ / "outside"; }

    [[nodiscard]] std::filesystem::path own() const { return inside() / "own"; }

    // A file inside that is older than what follows.
    [[nodiscard]] std::filesystem::path make_old_file(const std::string& name) {
        auto path = inside() / name;
        write_file(path, std::string(kContent));
        settle(inside());
        recorder_.forget();
        return path;
    }

    void expect_arrival(const std::filesystem::path& path, FileChange change) {
        const auto seen = recorder_.wait_for(path, change);
        ASSERT_TRUE(seen) << path;
        EXPECT_EQ(seen->object, object_at(path));
        EXPECT_FALSE(seen->had_file);
    }

    // `write` changes an open file in its own way; that must be seen before the file is closed.
    void expect_seen_while_open(const std::function<void(int)>& write) {
        const auto path = make_old_file("open");
        const auto file = open_at(AT_FDCWD, path.c_str(), O_RDWR);
        ASSERT_TRUE(file);
        write(file->get());
        expect_arrival(path, FileChange::Modified);
        for (const auto& one : recorder_.seen()) {
            EXPECT_FALSE(has(one.changes, FileChange::ClosedAfterWrite)) << one.path;
        }
    }

    std::filesystem::path disk_;
};

}  // namespace vigia::test
