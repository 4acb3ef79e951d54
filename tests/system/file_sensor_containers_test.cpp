// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_sensors vigia_host
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "support/mounts_fixture.h"
#include "support/process.h"

// Overlays, subvolumes and mounts of other namespaces: what containers are made of (hard-parts 6).
namespace vigia::test {
namespace {

namespace fs = std::filesystem;

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

    [[nodiscard]] bool write() { return ::write(orders_.get(), "w", 1) == 1 && answered(); }

private:
    [[nodiscard]] bool answered() const {
        char answer = 0;
        return ::read(answers_.get(), &answer, 1) == 1 && answer == '+';
    }

    // In the child: system calls only.
    static int live(const char* point, const char* file, int orders, int answers) {
        bool good =
            ::unshare(CLONE_NEWNS) == 0 && ::mount("other", point, "tmpfs", 0, "size=1m") == 0;
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

class Containers : public Mounts {};

TEST_F(Containers, MountsOfAnotherNamespaceAreWatched) {
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

TEST_F(Containers, MountsOfAnotherNamespaceAreReachedThroughAnyOfItsProcesses) {
    const auto point = make("watched/container");
    OtherNamespace other(point, point / "file");
    watch({watched()});
    for (auto& mount : plan_.mounts) {
        if (mount.other_namespace) {
            mount.reach =
                "/proc/999999999/root" + mount.point;  // the process it was found by is gone
        }
    }
    sensor_->apply(plan_);
    EXPECT_EQ(place(point).state, "watched") << place(point).detail;
    ASSERT_TRUE(other.write());
    EXPECT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
}

TEST_F(Containers, MountsOfAnotherNamespaceThatEndedLeaveNothingBehind) {
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

TEST_F(Containers, MountsOfOverlaysAreWatchedByBothWays) {
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

TEST_F(Containers, MountsOfOverlaysTellLinksAndRenamesThroughTheirUpperFolder) {
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

TEST_F(Containers, MountsOfOverlaysThatTakeAFileSystemMarkAreWatchedLikeOthers) {
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

TEST_F(Containers, MountsOfAnOverlayInAnotherNamespaceAreWatchedThere) {
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

TEST_F(Containers, MountsOfOverlaysAreUnmountedAtOnceWhenIdle) {
    const auto point = mount_overlay("");
    watch({watched()});
    write_file(point / "file", "x");
    ASSERT_TRUE(recorder_.wait_for(point / "file", FileChange::ClosedAfterWrite));
    EXPECT_TRUE(
        eventually([&] { return ::umount(point.c_str()) == 0; }, std::chrono::milliseconds{100}))
        << std::system_category().message(errno);
}

TEST_F(Containers, MountsOfBtrfsSubvolumesAreWatchedByDescriptor) {
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
