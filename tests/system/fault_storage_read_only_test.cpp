// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 104 where the file system of the state folder is read-only, from the start or suddenly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <csignal>
#include <fstream>

#include "support/storage_faults.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;

class FaultReadOnly : public FaultStorage {
protected:
    [[nodiscard]] static std::string read_only_cause(const Instance& instance) {
        return raised_cause(instance, kStorageFault);
    }

    [[nodiscard]] static Json what(const Instance& instance) {
        return raised_fault(instance, kStorageFault).at("evidence").at("what");
    }

    // The state folder as its own read-only mount, which nobody writes through.
    [[nodiscard]] fs::path bind_read_only() const {
        const auto state = store_ / "var/lib/vigia";
        fs::create_directories(state);
        EXPECT_EQ(::mount(state.c_str(), state.c_str(), nullptr, MS_BIND, nullptr), 0);
        EXPECT_EQ(
            ::mount(nullptr, state.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
        return state;
    }

    static void make_writable(const fs::path& state) {
        ASSERT_EQ(::mount(nullptr, state.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr), 0)
            << std::system_category().message(errno);
    }

    static bool detects(const Instance& instance) {
        return eventually([&] {
            const auto status = instance.status();
            return status.contains("scan") && status.at("scan").at("detections") > 0;
        });
    }
};

TEST_F(FaultReadOnly, AStateFolderThatIsReadOnlyFromTheStartCostsNoEngineAndIsSaid) {
    {
        Instance before(on_small_disk());
        ASSERT_TRUE(before.start());
        ASSERT_NO_FATAL_FAILURE(loosen_a_folder(before));
        before.kill(SIGKILL);
        ASSERT_TRUE(before.wait(10s).has_value());
    }
    const auto state = bind_read_only();
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return read_only_cause(instance) == "read-only"; }))
        << read_text(instance.path("daemon.err"));
    ASSERT_TRUE(eventually([&] { return instance.status().at("scan").at("state") == "ready"; }))
        << read_text(instance.path("daemon.err"));
    EXPECT_THAT(what(instance), Contains("journal"));
    EXPECT_THAT(what(instance), Contains("definitions"));
    const auto people = instance.cli({"faults", "show", "104"}).out;
    EXPECT_THAT(people, HasSubstr(instance.path("run/vigia/definitions").native()));
    EXPECT_THAT(instance.status().at("scan").at("detail").get<std::string>(),
                HasSubstr(instance.path("run/vigia/definitions").native()));

    const auto file = infect();
    EXPECT_TRUE(detects(instance)) << read_text(instance.path("daemon.err"));
    EXPECT_TRUE(fs::exists(file)) << "nowhere to put it";

    ASSERT_NO_FATAL_FAILURE(make_writable(state));
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }, 30s))
        << raised_fault(instance, kStorageFault).dump(1);
    EXPECT_TRUE(eventually([&] { return infected_left() == 0; }));
    EXPECT_TRUE(fs::exists(instance.path("var/lib/vigia/definitions/current")));
    // What the run before had left open could be read only now; it is not left open for ever.
    ASSERT_NO_FATAL_FAILURE(tighten_it(instance));
    expect_told_once(instance, 1);
}

// What a kernel does after an error of the disk (errors=remount-ro), provoked on an ext4 of the
// test's own. Nothing else makes a file system read-only that has files open for writing, and no
// remount makes this one writable again: its repaired copy is mounted in its place.
class FaultDiskError : public WatchedDisk {
protected:
    static constexpr int kStorageFault = 104;
    static constexpr std::uint64_t kHeld = 20;

    FaultDiskError() {
        disk_of_state_ = ground_.loop("p/var/lib/vigia", "ext4", 96);
        vault_ = ground_.loop("vault", "ext4", 16);
        ::chmod(disk_of_state_.c_str(), 0755);
        EXPECT_EQ(
            run("/bin/mount", {"-o", "remount,errors=remount-ro", disk_of_state_.native()}).exit,
            0);
        mount_vault();
    }

    ~FaultDiskError() override {
        while (mounted_ > 0) {
            unmount_one();
        }
        ::umount2((disk_of_state_ / "quarantine").c_str(), MNT_DETACH);
    }

    void unmount_one() {
        ::umount2((disk_of_state_ / "quarantine").c_str(), MNT_DETACH);
        ::umount2(disk_of_state_.c_str(), MNT_DETACH);
        --mounted_;
    }

    // The vault is on a disk of its own, which goes on working.
    void mount_vault() const {
        fs::create_directories(disk_of_state_ / "quarantine");
        EXPECT_EQ(
            ::mount(
                vault_.c_str(), (disk_of_state_ / "quarantine").c_str(), nullptr, MS_BIND, nullptr),
            0);
        ::chmod(vault_.c_str(), 0700);
    }

    void break_it() const {
        const auto device =
            run("/bin/findmnt", {"-n", "-o", "SOURCE", "--target", disk_of_state_.native()}).out;
        const auto name = fs::path(device.substr(0, device.find('\n'))).filename();
        write_file(fs::path("/sys/fs/ext4") / name / "trigger_fs_error", "1");
    }

    void mount_its_repaired_copy() {
        const auto image = ground_.root() / "repaired.img";
        ::sync();
        fs::copy_file(disk_of_state_.native() + ".img", image);
        const auto checked = run("/sbin/e2fsck", {"-fy", image.native()});
        ASSERT_LE(checked.exit, 1) << checked.out;
        const auto mounted = run(
            "/bin/mount", {"-t", "ext4", "-o", "loop", image.native(), disk_of_state_.native()});
        ASSERT_EQ(mounted.exit, 0) << mounted.err;
        ++mounted_;
        mount_vault();
    }

    fs::path infect() {
        auto file = watched_ / fmt::format("bad-{}", ++infected_);
        write_file(file, eicar_);
        return file;
    }

    [[nodiscard]] std::uint64_t lost(const Instance& instance) const {
        const auto fault = raised_fault(instance, kStorageFault);
        return fault.is_object() ? fault.at("evidence").at("events_lost").get<std::uint64_t>() : 0;
    }

    fs::path disk_of_state_;
    fs::path vault_;
    int mounted_ = 0;
    int infected_ = 0;
};

TEST_F(FaultDiskError, ADiskThatBecomesReadOnlyIsSaidWhatIsLostIsToldAndItClearsLive) {
    auto asked =
        options(quiet_policy("overrides = [{ id = 104, window = \"3s\", clear_after = \"0ms\" }]"));
    asked.environment = {fmt::format("VIGIA_TEST_JOURNAL_HELD={}", kHeld)};
    Instance instance(asked);
    ASSERT_TRUE(instance.start());
    infect();
    ASSERT_TRUE(eventually([&] { return in_vault(instance) == 1; }));
    const auto epoch = instance.events().back().at("vigia").at("journal_epoch");

    break_it();
    infect();
    ASSERT_TRUE(eventually([&] { return raised_cause(instance, kStorageFault) == "read-only"; }))
        << instance.cli({"faults", "list"}).out << read_text(instance.path("daemon.err"));
    const auto fault = raised_fault(instance, kStorageFault);
    EXPECT_THAT(fault.at("evidence").at("what"), Contains("journal"));
    EXPECT_EQ(fault.at("evidence").at("errno"), EROFS);
    // Work goes on, and more happens than can be held.
    const auto before = instance.status().at("scan").at("detections").get<int>();
    ASSERT_TRUE(eventually([&] {
        infect();
        return lost(instance) > 0;
    }));
    EXPECT_GT(instance.status().at("scan").at("detections").get<int>(), before);
    EXPECT_FALSE(instance.events().empty()) << "what there was can still be read";

    ASSERT_NO_FATAL_FAILURE(mount_its_repaired_copy());
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }))
        << raised_fault(instance, kStorageFault).dump(1) << read_text(instance.path("daemon.err"));
    std::vector<Json> dropped;
    const auto events = instance.events();
    for (const auto& event : events) {
        EXPECT_EQ(event.at("vigia").at("journal_epoch"), epoch) << "it is the same journal";
        if (word_of(event) == "events-dropped") {
            dropped.push_back(event.at("vigia").at("dropped"));
        }
    }
    ASSERT_EQ(dropped.size(), 1U) << Json(dropped).dump(1);
    EXPECT_EQ(dropped[0].at("reason"), "storage-failed");
    EXPECT_GT(dropped[0].at("count"), 0);
    EXPECT_LE(dropped[0].at("first_time"), dropped[0].at("last_time"));
    EXPECT_EQ(told_faults(events).size(), 1U);
    EXPECT_TRUE(eventually([&] { return in_vault(instance) == std::size_t(infected_); }))
        << in_vault(instance) << " of " << infected_;
    ASSERT_TRUE(eventually([&] { return instance.settled(); }));
    expect_no_gap_and_nothing_twice(lines_of(instance.path("var/log/vigia/events.jsonl")));
}

}  // namespace
}  // namespace vigia::test
