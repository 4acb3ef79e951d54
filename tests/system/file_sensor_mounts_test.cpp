// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_sensors vigia_host
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <map>
#include <thread>

#include "support/process.h"
#include "support/sensor_fixture.h"

// Mounts that come, go, overlay each other, or live in another namespace (hard-parts 6).
namespace vigia::test {
namespace {

namespace fs = std::filesystem;

void mount_or_fail(const std::string& source,
                   const fs::path& point,
                   const char* type,
                   unsigned long flags,
                   const std::string& options) {
    ASSERT_EQ(::mount(source.c_str(), point.c_str(), type, flags, options.c_str()), 0)
        << point << ": " << std::system_category().message(errno);
}

// A process in a mount namespace of its own that has mounted a tmpfs at `point` there and does what
// it is told: 'w' writes the file, anything else ends it.
class OtherNamespace {
public:
    OtherNamespace(const fs::path& point, const fs::path& file) {
        std::array<int, 2> orders{};
        std::array<int, 2> answers{};
        EXPECT_EQ(::pipe2(orders.data(), O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(answers.data(), O_CLOEXEC), 0);
        child_ = ::fork();
        if (child_ == 0) {
            ::close(orders[1]);
            ::_exit(live(point.c_str(), file.c_str(), orders[0], answers[1]));
        }
        ::close(orders[0]);
        ::close(answers[1]);
        orders_ = UniqueFd(orders[1]);
        answers_ = UniqueFd(answers[0]);
        EXPECT_TRUE(answered());
    }

    OtherNamespace(const OtherNamespace&) = delete;
    OtherNamespace& operator=(const OtherNamespace&) = delete;

    ~OtherNamespace() {
        orders_.reset();
        ::waitpid(child_, nullptr, 0);
    }

    [[nodiscard]] bool write() {
        return ::write(orders_.get(), "w", 1) == 1 && answered();
    }

private:
    [[nodiscard]] bool answered() const {
        char answer = 0;
        return ::read(answers_.get(), &answer, 1) == 1 && answer == '+';
    }

    // In the child: system calls only.
    static int live(const char* point, const char* file, int orders, int answers) {
        bool good = ::unshare(CLONE_NEWNS) == 0 &&
                    ::mount("other", point, "tmpfs", 0, "size=1m") == 0;
        (void)!::write(answers, good ? "+" : "-", 1);
        char order = 0;
        while (::read(orders, &order, 1) == 1 && order == 'w') {
            const int fd = ::open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            good = fd >= 0 && ::write(fd, "x", 1) == 1 && ::close(fd) == 0;
            (void)!::write(answers, good ? "+" : "-", 1);
        }
        return 0;
    }

    pid_t child_ = -1;
    UniqueFd orders_;
    UniqueFd answers_;
};

class Mounts : public SensorFixture {
protected:
    void SetUp() override {
        // A mount of its own to stand on: nothing outside the test is ever marked.
        base_ = playground_.tmpfs("base", "size=64m");
        fs::create_directories(base_ / "watched");
    }

    void TearDown() override {
        if (sensor_) {
            expect_accounts_balance();
        }
    }

    [[nodiscard]] fs::path watched() const { return base_ / "watched"; }

    fs::path make(const std::string& name) {
        auto path = base_ / name;
        fs::create_directories(path);
        return path;
    }

    // Lower and upper folders on the base, mounted in the watched folder.
    fs::path mount_overlay(const std::string& more) {
        const auto lower = make("lower");
        write_file(lower / "below", "from the lower folder");
        auto point = make("watched/overlay");
        mount_or_fail("overlay", point, "overlay", 0,
                      "lowerdir=" + lower.native() + ",upperdir=" + make("upper").native() +
                          ",workdir=" + make("work").native() + more);
        return point;
    }

    fs::path base_;
};

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
    EXPECT_TRUE(eventually([&] { return ::umount(point.c_str()) == 0; },
                           std::chrono::milliseconds{100}))
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
    EXPECT_TRUE(
        eventually([&] { return ::umount(point.c_str()) == 0; }, std::chrono::seconds{1}))
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
    { const auto file = open_at(rest->get(), "file", O_WRONLY | O_CREAT, 0600); }
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

TEST_F(Mounts, OfAnotherNamespaceAreWatched) {
    const auto point = make("watched/container");
    OtherNamespace other(point, point / "file");
    watch({watched()});
    const auto shown = place(point);
    EXPECT_EQ(shown.state, "watched") << shown.detail;
    EXPECT_TRUE(shown.other_namespace);
    ASSERT_TRUE(other.write());
    const auto seen = recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite);
    ASSERT_TRUE(seen);
    const auto opened = sensor_->open_object(seen->object);
    EXPECT_TRUE(opened) << opened.error().message();
}

TEST_F(Mounts, OfAnotherNamespaceAreReachedThroughAnyOfItsProcesses) {
    const auto point = make("watched/container");
    OtherNamespace other(point, point / "file");
    watch({watched()});
    for (auto& mount : plan_.mounts) {
        if (mount.other_namespace) {
            mount.reach = "/proc/999999999/root" + mount.point;  // the process it was found by is gone
        }
    }
    sensor_->apply(plan_);
    EXPECT_EQ(place(point).state, "watched") << place(point).detail;
    ASSERT_TRUE(other.write());
    EXPECT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
}

TEST_F(Mounts, OfAnotherNamespaceThatEndedLeaveNothingBehind) {
    const auto point = make("watched/container");
    {
        const OtherNamespace other(point, point / "file");
        watch({watched()});
        ASSERT_EQ(place(point).state, "watched");
    }
    sensor_->apply(plan_);  // still with the mounts of before
    EXPECT_EQ(place(point).state, "unwatched");
    EXPECT_EQ(place(point).error, ESTALE);
    apply();
    EXPECT_EQ(place(point).path, "");
}

TEST_F(Mounts, OfOverlaysAreWatchedByBothWays) {
    const auto point = mount_overlay("");
    watch({watched()});
    EXPECT_EQ(place(point).state, "watched") << place(point).detail;
    EXPECT_EQ(place(point).backend, "both");
    write_file(point / "file", "x");
    EXPECT_TRUE(recorder_.wait([&](const std::vector<Seen>& seen) {
        const auto at = [&](bool by_file) {
            return std::ranges::any_of(seen, [&](const Seen& one) {
                return one.path == point / "file" && one.had_file == by_file &&
                       has(one.changes, FileChange::ClosedAfterWrite) &&
                       one.file_was_readable == by_file;
            });
        };
        return at(true) && at(false);
    }));
}

TEST_F(Mounts, OfOverlaysTellLinksAndRenamesThroughTheirUpperFolder) {
    const auto point = mount_overlay("");
    watch({point});
    write_file(point / "file", "x");
    fs::create_hard_link(point / "file", point / "link");
    EXPECT_TRUE(recorder_.wait_for(point / "link", FileChange::Created));
    fs::rename(point / "file", point / "renamed");
    EXPECT_TRUE(recorder_.wait_for(point / "renamed", FileChange::MovedIn));
    write_file(point / "below", "now in the upper folder");
    EXPECT_TRUE(recorder_.wait_for(point / "below", FileChange::ClosedAfterWrite));
}

TEST_F(Mounts, OfOverlaysThatTakeAFileSystemMarkAreWatchedLikeOthers) {
    const auto point = mount_overlay(",index=on,nfs_export=on");
    watch({point});
    EXPECT_EQ(place(point).state, "watched") << place(point).detail;
    EXPECT_EQ(place(point).backend, "fanotify-fid");
    write_file(point / "file", "x");
    const auto seen = recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite);
    ASSERT_TRUE(seen);
    EXPECT_FALSE(seen->had_file);
    EXPECT_FALSE(sensor_->traits(seen->object.fs).truthful_identity) << "an overlay's lease lies";
    EXPECT_TRUE(sensor_->open_object(seen->object));
}

TEST_F(Mounts, OfAnOverlayInAnotherNamespaceAreWatchedThere) {
    // The copy of the mount that a container gets is not the one in our list.
    const auto point = mount_overlay("");
    const auto inner = make("watched/inner");
    watch({point});
    OtherNamespace other(inner, point / "from-the-container");
    ASSERT_TRUE(other.write());
    EXPECT_TRUE(recorder_.wait([&](const std::vector<Seen>& seen) {
        return std::ranges::any_of(seen, [](const Seen& one) {
            return one.had_file && one.path.ends_with("/from-the-container");
        });
    }));
}

TEST_F(Mounts, OfOverlaysAreUnmountedAtOnceWhenIdle) {
    const auto point = mount_overlay("");
    watch({watched()});
    write_file(point / "file", "x");
    ASSERT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
    EXPECT_TRUE(eventually([&] { return ::umount(point.c_str()) == 0; },
                           std::chrono::milliseconds{100}))
        << std::system_category().message(errno);
}

TEST_F(Mounts, OfBtrfsSubvolumesAreWatchedByDescriptor) {
    if (::access("/sbin/mkfs.btrfs", X_OK) != 0) {
        GTEST_SKIP() << "no mkfs.btrfs: install btrfs-progs";
    }
    const auto top = playground_.loop("btrfs", "btrfs", 128);
    ASSERT_EQ(run("/bin/btrfs", {"subvolume", "create", top / "part"}).exit, 0);
    const auto point = make("watched/part");
    const auto mounts = host::list_mounts();
    ASSERT_TRUE(mounts);
    const auto source = std::ranges::find(*mounts, top.native(), &Mount::point);
    ASSERT_NE(source, mounts->end());
    mount_or_fail(source->source, point, "btrfs", 0, "subvol=part");
    ASSERT_EQ(::umount(top.c_str()), 0);
    watch({watched()});
    EXPECT_EQ(place(point).state, "watched") << place(point).detail;
    EXPECT_EQ(place(point).backend, "fanotify-fd");
    write_file(point / "file", "x");
    const auto seen = recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite);
    ASSERT_TRUE(seen);
    EXPECT_TRUE(seen->had_file);
    ::umount(point.c_str());
}

}  // namespace
}  // namespace vigia::test
