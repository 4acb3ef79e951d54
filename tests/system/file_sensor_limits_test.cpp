// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_sensors vigia_host
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "support/fuse_server.h"
#include "support/process.h"
#include "support/sensor_fixture.h"

// Full queues, file systems that hang, and what the sensor costs.
namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr auto kQueueLimit = "/proc/sys/fs/fanotify/max_queued_events";

// A group takes its limit when it is made; the machine has its own back at once.
class LoweredQueueLimit {
public:
    explicit LoweredQueueLimit(unsigned limit) : before_(read_text(kQueueLimit)) {
        write_file(kQueueLimit, std::to_string(limit));
    }

    LoweredQueueLimit(const LoweredQueueLimit&) = delete;
    LoweredQueueLimit& operator=(const LoweredQueueLimit&) = delete;

    ~LoweredQueueLimit() { write_file(kQueueLimit, before_); }

private:
    std::string before_;
};

class Limits : public SensorFixture {
protected:
    void SetUp() override {
        base_ = playground_.tmpfs("base", "size=128m");
        fs::create_directories(base_ / "watched");
    }

    void TearDown() override {
        if (sensor_) {
            expect_accounts_balance();
        }
    }

    [[nodiscard]] fs::path watched() const { return base_ / "watched"; }

    // Files created, written, closed and removed in one second, in the watched folder.
    [[nodiscard]] unsigned files_per_second() const {
        const auto until = BootClock::now() + std::chrono::seconds{1};
        unsigned files = 0;
        while (BootClock::now() < until) {
            const auto path = watched() / ("f" + std::to_string(files % 100));
            const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            EXPECT_EQ(::write(fd, "x", 1), 1);
            ::close(fd);
            ::unlink(path.c_str());
            ++files;
        }
        return files;
    }

    fs::path base_;
};

TEST_F(Limits, AQueueThatOverflowsIsToldAndCountedAndReadOn) {
    {
        const LoweredQueueLimit lowered(16);
        open_sensor();
    }
    watch({watched()});
    {
        const auto held = recorder_.hold();
        for (int i = 0; i < 500; ++i) {
            write_file(watched() / std::to_string(i), "x");
        }
    }
    EXPECT_TRUE(recorder_.wait_for_overflow());
    // More than one overflow may lie in the queue; what is written after the last is seen again.
    int tries = 0;
    EXPECT_TRUE(eventually([&] {
        const auto path = watched() / ("after-" + std::to_string(tries++));
        write_file(path, "x");
        return eventually([&] { return was_seen(path.native()); }, milliseconds{200});
    }));
    const auto state = sensor_->state();
    EXPECT_GE(state.overflows, 1U);
    EXPECT_LT(state.read, 500U);
    EXPECT_TRUE(state.reading);
}

TEST_F(Limits, EveryRecordIsAccountedForWhileEightWritersRun) {
    fs::create_directories(watched() / "own");
    fs::create_directories(base_ / "outside");
    plan_.own_folders = {watched() / "own"};
    watch({watched()});
    {
        std::vector<std::jthread> writers;
        for (int writer = 0; writer < 8; ++writer) {
            writers.emplace_back([this, writer] {
                for (int i = 0; i < 300; ++i) {
                    const auto name = std::to_string(writer) + "-" + std::to_string(i);
                    fs::create_directory(watched() / ("d" + name));
                    write_file(watched() / ("d" + name) / "file", "x");
                    write_file(watched() / "own" / name, "x");
                    write_file(base_ / "outside" / name, "x");
                    fs::rename(base_ / "outside" / name, watched() / name);
                    fs::remove_all(watched() / ("d" + name));
                }
            });
        }
        expect_accounts_balance();
    }
    settle(watched());
    expect_accounts_balance();
    const auto state = sensor_->state();
    EXPECT_EQ(state.overflows, 0U);
    EXPECT_GE(state.delivered, 2400U);
    EXPECT_GE(state.filtered.at("own"), 2400U);
    for (int writer = 0; writer < 8; ++writer) {
        for (int i = 0; i < 300; ++i) {
            const auto name = std::to_string(writer) + "-" + std::to_string(i);
            ASSERT_TRUE(recorder_.wait_for(watched() / name, FileChange::MovedIn)) << name;
        }
    }
}

TEST_F(Limits, ItEndsWithinATenthOfASecondWhateverIsInTheQueue) {
    watch({watched()});
    for (int i = 0; i < 5000; ++i) {
        write_file(watched() / std::to_string(i), "x");
    }
    expect_accounts_balance();
    const auto begin = BootClock::now();
    sensor_.reset();
    EXPECT_LT(BootClock::now() - begin, milliseconds{100});
}

TEST_F(Limits, DescriptorsThatCannotBeOpenedAreALossThatIsTold) {
    fs::create_directories(base_ / "lower");
    fs::create_directories(base_ / "upper");
    fs::create_directories(base_ / "work");
    fs::create_directories(watched() / "overlay");
    const auto options = "lowerdir=" + (base_ / "lower").native() +
                         ",upperdir=" + (base_ / "upper").native() +
                         ",workdir=" + (base_ / "work").native();
    ASSERT_EQ(
        run("/bin/mount", {"-t", "overlay", "-o", options, "overlay", watched() / "overlay"}).exit,
        0);
    watch({watched()});
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int writer =
        ::open((watched() / "overlay" / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(writer, 0);
    rlimit none = before;
    none.rlim_cur = 3;  // no descriptor beyond those in use
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_EQ(::write(writer, "x", 1), 1);
    ::close(writer);
    EXPECT_TRUE(recorder_.wait_for_overflow());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    write_file(watched() / "overlay" / "after", "x");
    EXPECT_TRUE(recorder_.wait([&](const std::vector<Seen>& seen) {
        return std::ranges::any_of(
            seen, [](const Seen& one) { return one.had_file && one.path.ends_with("/after"); });
    }));
    EXPECT_EQ(run("/bin/umount", {"-l", watched() / "overlay"}).exit, 0);
}

class Fuse : public Limits {
protected:
    void SetUp() override {
        Limits::SetUp();
        fs::create_directories(point());
        server_ = std::make_unique<FuseServer>(point());
        if (!server_->problem().empty()) {
            GTEST_SKIP() << "no file system in user space here: " << server_->problem();
        }
        watch({watched()});
    }

    void TearDown() override {
        if (sensor_) {
            expect_accounts_balance();
        }
        server_.reset();
    }

    [[nodiscard]] fs::path point() const { return watched() / "fuse"; }

    void wait_until_marked() {
        ASSERT_TRUE(eventually([&] {
            return place(point()).detail.starts_with("changes made by other");
        })) << place(point()).detail;
    }

    void write_through_it() const {
        const int fd = ::open((point() / "file").c_str(), O_WRONLY | O_CLOEXEC);
        ASSERT_GE(fd, 0);
        EXPECT_EQ(::write(fd, "x", 1), 1);
        ::close(fd);
    }

    std::unique_ptr<FuseServer> server_;
};

TEST_F(Fuse, ShowsTheChangesMadeHere) {
    wait_until_marked();
    EXPECT_EQ(place(point()).state, "local-changes-only");
    write_through_it();
    const auto seen = recorder_.wait_for(point() / "file", FileChange::ClosedAfterWrite);
    ASSERT_TRUE(seen);
    EXPECT_TRUE(seen->had_file);
}

TEST_F(Fuse, ThatHangsHoldsUpNobody) {
    wait_until_marked();
    server_->hang_readers();
    write_through_it();
    ASSERT_TRUE(eventually([&] { return server_->has_caught_one(); })) << "the reader opened it";
    settle(watched());
    auto begin = BootClock::now();
    apply();
    settle(watched());
    EXPECT_LT(BootClock::now() - begin, std::chrono::seconds{2});
    expect_accounts_balance();
    begin = BootClock::now();
    sensor_.reset();
    EXPECT_LT(BootClock::now() - begin, milliseconds{200});
}

// Not a judgement, for the machine is noisy, but a figure to look at; and that nothing was lost.
TEST_F(Limits, TheCostForTheWriterIsMeasured) {
    const auto without = files_per_second();
    watch({watched()});
    const auto with = files_per_second();
    settle(watched());
    std::printf(
        "create+write+close+unlink per second on tmpfs: %u unwatched, %u watched (%.0f %%); "
        "%llu records read\n",
        without,
        with,
        100.0 * with / without,
        static_cast<unsigned long long>(sensor_->state().read));
    EXPECT_EQ(sensor_->state().overflows, 0U);
    EXPECT_GT(with, 0U);
}

}  // namespace
}  // namespace vigia::test
