// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_sensors vigia_host
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "support/mounts_fixture.h"
#include "support/process.h"

// Mounts that come, go, cover and show each other (hard-parts 6).
namespace vigia::test {
namespace {

namespace fs = std::filesystem;

TEST_F(Mounts, MadeAfterTheStartAreWatchedOnceTheyAreApplied) {
    watch({watched()});
    for (const std::string name : {"one", "two"}) {
        const auto point = make("watched/" + name);
        mount_or_fail("later", point, "tmpfs", 0, "size=1m");
    }
    apply();
    for (const std::string name : {"one", "two"}) {
        EXPECT_EQ(place(watched() / name).state, "watched");
        write_file(watched() / name / "file", "x");
        EXPECT_TRUE(recorder_.wait_for(watched() / name / "file", FileChange::ClosedAfterWrite));
    }
}

TEST_F(Mounts, AnIdleWatchedMountIsUnmountedAtOnce) {
    const auto point = make("watched/disk");
    mount_or_fail("disk", point, "tmpfs", 0, "size=1m");
    watch({watched()});
    write_file(point / "file", "x");
    ASSERT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
    EXPECT_TRUE(
        eventually([&] { return ::umount(point.c_str()) == 0; }, std::chrono::milliseconds{100}))
        << std::system_category().message(errno);
    apply();
    EXPECT_EQ(place(point).path, "") << "what is gone is not shown";
}

TEST_F(Mounts, AWatchedMountUnderLoadIsUnmountedWithinASecond) {
    const auto point = make("watched/disk");
    mount_or_fail("disk", point, "tmpfs", 0, "size=16m");
    watch({watched()});
    const std::jthread elsewhere([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            write_file(watched() / "busy", "x");
        }
    });
    // New folders all the time: each costs the sensor an open mount.
    for (int i = 0; i < 3000; ++i) {
        const auto folder = point / std::to_string(i);
        fs::create_directory(folder);
        write_file(folder / "file", "x");
    }
    EXPECT_TRUE(eventually([&] { return ::umount(point.c_str()) == 0; }, std::chrono::seconds{1}))
        << std::system_category().message(errno);
    settle(watched());
}

TEST_F(Mounts, MountedAgainUnderTheSameNameAreWatchedAgain) {
    const auto point = make("watched/disk");
    mount_or_fail("disk", point, "tmpfs", 0, "size=1m");
    watch({watched()});
    ASSERT_TRUE(eventually([&] { return ::umount(point.c_str()) == 0; }));
    mount_or_fail("disk", point, "tmpfs", 0, "size=1m");
    apply();
    write_file(point / "file", "x");
    EXPECT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
}

TEST_F(Mounts, NoLongerWantedAreNotReadAnyMore) {
    const auto point = make("watched/disk");
    mount_or_fail("disk", point, "tmpfs", 0, "size=1m");
    const auto other = playground_.tmpfs("other", "size=1m");
    watch({watched()});
    watch({other});
    const auto before = sensor_->state().read;
    write_file(point / "file", "x");
    write_file(base_ / "file", "x");
    settle(other);
    EXPECT_EQ(sensor_->state().read, before + 1) << "only the mark that settle() leaves";
    EXPECT_EQ(place(point).path, "");
}

TEST_F(Mounts, AppliedAgainAndAgainChangeNothing) {
    watch({watched()});
    for (int i = 0; i < 50; ++i) {
        apply();
        write_file(watched() / std::to_string(i), "x");
    }
    settle(watched());
    std::map<std::string, int> times;
    for (const auto& one : recorder_.seen()) {
        times[one.path] += has(one.changes, FileChange::ClosedAfterWrite) ? 1 : 0;
    }
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(times[watched() / std::to_string(i)], 1) << i;
    }
}

TEST_F(Mounts, OfAnUnwatchedFolderBoundIntoTheWatchAreInside) {
    const auto source = make("elsewhere");
    const auto point = make("watched/bound");
    mount_or_fail(source, point, nullptr, MS_BIND, "");
    watch({watched()});
    write_file(source / "by-its-other-name", "x");
    EXPECT_TRUE(recorder_.wait_for(point / "by-its-other-name", FileChange::ClosedAfterWrite));
    write_file(point / "file", "x");
    EXPECT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
}

TEST_F(Mounts, OfWhichOnlyAPartCanBeSeenShowNothingOfTheRest) {
    const auto hidden = make("hidden");
    mount_or_fail("hidden", hidden, "tmpfs", 0, "size=1m");
    fs::create_directories(hidden / "part");
    fs::create_directories(hidden / "rest");
    const auto rest = open_at(AT_FDCWD, (hidden / "rest").c_str(), O_PATH);
    ASSERT_TRUE(rest);
    const auto point = make("watched/bound");
    mount_or_fail(hidden / "part", point, nullptr, MS_BIND, "");
    ASSERT_EQ(::umount2(hidden.c_str(), MNT_DETACH), 0);
    watch({watched()});
    {
        const auto file = open_at(rest->get(), "file", O_WRONLY | O_CREAT, 0600);
    }
    write_file(point / "file", "x");
    EXPECT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
    EXPECT_EQ(sensor_->state().filtered.at("outside-watch"), 1U);
}

TEST_F(Mounts, CoveredByAnotherAreSaidToBeSo) {
    const auto point = make("watched/disk");
    mount_or_fail("below", point, "tmpfs", 0, "size=1m");
    mount_or_fail("above", point, "tmpfs", 0, "size=1m");
    watch({watched()});
    std::vector<std::string> states;
    for (const auto& one : sensor_->state().places) {
        if (one.path == point) {
            states.push_back(one.state);
        }
    }
    std::ranges::sort(states);
    EXPECT_EQ(states, (std::vector<std::string>{"not-applicable", "watched"}));
    write_file(point / "file", "x");
    EXPECT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
    ::umount(point.c_str());
}

TEST_F(Mounts, OfPseudoFileSystemsAreNotApplicable) {
    const auto point = make("watched/proc");
    mount_or_fail("proc", point, "proc", 0, "");
    watch({watched()});
    EXPECT_EQ(place(point).state, "not-applicable");
    EXPECT_EQ(place(point).error, 0);
}

}  // namespace
}  // namespace vigia::test
