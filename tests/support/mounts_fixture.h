// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "support/sensor_fixture.h"

namespace vigia::test {

inline void mount_or_fail(const std::string& source,
                          const std::filesystem::path& point,
                          const char* type,
                          unsigned long flags,
                          const std::string& options) {
    ASSERT_EQ(::mount(source.c_str(), point.c_str(), type, flags, options.c_str()), 0)
        << point << ": " << std::system_category().message(errno);
}

class Mounts : public SensorFixture {
protected:
    void SetUp() override {
        // A mount of its own to stand on: nothing outside the test is ever marked.
        base_ = playground_.tmpfs("base", "size=64m");
        std::filesystem::create_directories(base_ / "watched");
    }

    void TearDown() override {
        if (sensor_) {
            expect_accounts_balance();
        }
    }

    [[nodiscard]] std::filesystem::path watched() const { return base_ / "watched"; }

    std::filesystem::path make(const std::string& name) {
        auto path = base_ / name;
        std::filesystem::create_directories(path);
        return path;
    }

    // Lower and upper folders on the base, mounted in the watched folder.
    std::filesystem::path mount_overlay(const std::string& more) {
        const auto lower = make("lower");
        write_file(lower / "below", "from the lower folder");
        auto point = make("watched/overlay");
        mount_or_fail("overlay",
                      point,
                      "overlay",
                      0,
                      "lowerdir=" + lower.native() + ",upperdir=" + make("upper").native() +
                          ",workdir=" + make("work").native() + more);
        return point;
    }

    std::filesystem::path base_;
};

}  // namespace vigia::test
