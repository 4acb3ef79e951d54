// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 104 on a disk of the test's own: full, read-only, and files damaged or taken away.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>

#include "base/files.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;

constexpr int kStorage = 104;
constexpr int kUser = 5;

class FaultStorage : public WatchedDisk {
protected:
    FaultStorage() : store_(ground_.loop("store", "ext4", 64)) {}

    // Its state on the small disk, what it watches on the other one.
    [[nodiscard]] Instance::Options on_small_disk() const {
        return {.prefix = store_,
                .watch = {watched_.native()},
                .more = quiet_policy("overrides = [{ id = 104, window = \"3s\", "
                                     "clear_after = \"0ms\" }]")};
    }

    // Takes all room that is left, to the last block.
    void fill() const {
        const auto filler =
            open_at(AT_FDCWD, (store_ / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ASSERT_TRUE(filler.has_value());
        for (std::size_t size = std::size_t{1} << 20U; size >= 512; size /= 2) {
            const std::string block(size, 'f');
            while (::write(filler->get(), block.data(), size) > 0) {
            }
        }
    }

    void make_room() const { fs::remove(store_ / "filler"); }

    static void remount(const fs::path& point, unsigned long flags) {
        ASSERT_EQ(::mount(nullptr, point.c_str(), nullptr, MS_REMOUNT | flags, nullptr), 0)
            << std::system_category().message(errno);
    }

    // Another infected file, so that something has to be written down.
    fs::path infect() {
        auto file = watched_ / fmt::format("bad-{}", ++infected_);
        write_file(file, eicar_);
        return file;
    }

    [[nodiscard]] std::size_t infected_left() const {
        std::size_t left = 0;
        for (const auto& entry : fs::directory_iterator(watched_)) {
            left += entry.path().filename().native().starts_with("bad-") ? 1U : 0U;
        }
        return left;
    }

    // Each episode of the fault was told once and ended once, in the file and in the journal.
    void expect_told_once(const Instance& instance, std::size_t episodes) const {
        ASSERT_TRUE(eventually([&] {
            return told_faults(lines_of(instance.path("var/log/vigia/events.jsonl"))) ==
                   told_faults(instance.events("fault"));
        })) << "the file has what the journal has";
        std::size_t found = 0;
        const auto episodes_told = told_faults(instance.events("fault"));
        for (const auto& [uid, told] : episodes_told) {
            found += told.id == kStorage ? 1U : 0U;
            EXPECT_EQ(told.raised, 1) << told.id << " " << uid;
            EXPECT_EQ(told.recovered, 0) << told.id << " " << uid;
            EXPECT_EQ(told.cleared, 1) << told.id << " " << uid;
        }
        EXPECT_EQ(found, episodes);
        const auto history = instance.json({"faults", "history"});
        for (const auto& episode : history.at("episodes")) {
            EXPECT_EQ(episode.at("cleared_because"), "condition-gone") << episode.dump();
        }
        expect_no_gap_and_nothing_twice(lines_of(instance.path("var/log/vigia/events.jsonl")));
    }

    // A fault of another kind that stays.
    void loosen_a_folder(const Instance& instance) const {
        ASSERT_EQ(::chmod(instance.path("var/lib/vigia").c_str(), 0777), 0);
        ASSERT_TRUE(eventually([&] { return raised_cause(instance, kUser) == "perm-changed"; }));
    }

    void tighten_it(const Instance& instance) const {
        ASSERT_EQ(::chmod(instance.path("var/lib/vigia").c_str(), 0755), 0);
        ASSERT_TRUE(eventually([&] { return raised_fault(instance, kUser).is_null(); }));
    }

    fs::path store_;
    int infected_ = 0;
};

TEST_F(FaultStorage, AFullDiskIsSaidDetectionGoesOnAndItClearsWhenThereIsRoom) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    // The reserve goes first: it is filled again until nothing is left.
    Json fault;
    ASSERT_TRUE(eventually([&] {
        fill();
        infect();
        fault = raised_fault(instance, kStorage);
        return fault.is_object() && fault.at("severity") == "critical";
    })) << "no quarantine, but no fault either: "
        << instance.cli({"faults", "list"}).out;
    EXPECT_EQ(fault.at("cause"), "disk-full");
    EXPECT_EQ(fault.at("evidence").at("errno"), ENOSPC);
    EXPECT_THAT(fault.at("evidence").at("what"), Contains("quarantine"));
    EXPECT_LT(fault.at("evidence").at("bytes_free").get<std::uint64_t>(), 1U << 20U);
    EXPECT_EQ(instance.status().at("state"), "degraded");

    const auto before = instance.status().at("scan").at("detections").get<int>();
    const auto last = infect();
    EXPECT_TRUE(eventually([&] {
        return instance.status().at("scan").at("detections").get<int>() > before;
    })) << "scanning goes on";
    EXPECT_TRUE(fs::exists(last)) << "nowhere to put it";

    make_room();
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorage).is_null(); }));
    EXPECT_TRUE(eventually([&] { return infected_left() == 0; }))
        << infected_left() << " of " << infected_;
    EXPECT_TRUE(eventually([&] { return instance.settled(); }));
    EXPECT_EQ(in_vault(instance), static_cast<std::size_t>(infected_));
    expect_told_once(instance, 1);
}

// The kernel lets nobody make a file system read-only that has files open for writing; of the vault
// there are none.
TEST_F(FaultStorage, AVaultThatIsReadOnlyIsCriticalAndClearsWhenItIsWritableAgain) {
    const auto vault = ground_.loop("store/var/lib/vigia/quarantine", "ext4", 16);
    ::chmod(vault.c_str(), 0700);
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    remount(vault, MS_RDONLY);
    infect();
    ASSERT_TRUE(eventually([&] { return raised_cause(instance, kStorage) == "read-only"; }))
        << instance.cli({"faults", "list"}).out;
    const auto fault = raised_fault(instance, kStorage);
    EXPECT_EQ(fault.at("severity"), "critical");
    EXPECT_EQ(fault.at("evidence").at("what"), Json::array({"quarantine"}));
    EXPECT_EQ(fault.at("evidence").at("errno"), EROFS);
    EXPECT_EQ(instance.status().at("state"), "degraded");
    remount(vault, 0);
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorage).is_null(); }));
    EXPECT_TRUE(eventually([&] { return infected_left() == 0; }));
    expect_told_once(instance, 1);
}

TEST_F(FaultStorage, AJournalDamagedUnderItIsReplacedAndWhatIsRaisedIsToldAgain) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    ASSERT_NO_FATAL_FAILURE(loosen_a_folder(instance));
    const auto episode = raised_fault(instance, kUser).at("episode").get<std::string>();
    const auto epoch = instance.events().back().at("vigia").at("journal_epoch");
    std::mt19937 random(7);
    for (const char* name : {"journal.db", "journal.db-wal"}) {
        const auto file = instance.path("var/lib/vigia") / name;
        std::string bytes(fs::file_size(file), '\0');
        for (auto& byte : bytes) {
            byte = static_cast<char>(random());
        }
        std::fstream(file, std::ios::in | std::ios::out | std::ios::binary) << bytes;
    }
    infect();
    ASSERT_TRUE(eventually([&] { return raised_cause(instance, kStorage) == "database-damaged"; }))
        << instance.cli({"faults", "list"}).out;
    const auto aside = raised_fault(instance, kStorage).at("evidence").at("set_aside");
    EXPECT_THAT(aside.get<std::string>(), HasSubstr("journal.db.damaged-"));
    EXPECT_TRUE(fs::exists(aside.get<std::string>()));
    EXPECT_TRUE(eventually([&] { return infected_left() == 0; }));
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorage).is_null(); }));

    const auto told = told_faults(instance.events("fault"));
    ASSERT_TRUE(told.contains(episode)) << "what is raised is in the new journal as well";
    EXPECT_EQ(told.at(episode).recovered, 1);
    EXPECT_EQ(told.at(episode).cleared, 0);
    EXPECT_NE(instance.events().back().at("vigia").at("journal_epoch"), epoch);
    EXPECT_EQ(instance.events().front().at("metadata").at("sequence"), 1);
    EXPECT_EQ(word_of(instance.events().front()), "events-dropped");

    // It ends in the same episode, once.
    ASSERT_NO_FATAL_FAILURE(tighten_it(instance));
    EXPECT_EQ(told_faults(instance.events("fault")).at(episode).cleared, 1);
}

TEST_F(FaultStorage, AJournalDeletedUnderItIsBegunAnewAndWhatIsRaisedIsToldAgain) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    ASSERT_NO_FATAL_FAILURE(loosen_a_folder(instance));
    const auto episode = raised_fault(instance, kUser).at("episode").get<std::string>();
    for (const char* name : {"journal.db", "journal.db-wal", "journal.db-shm"}) {
        fs::remove(instance.path("var/lib/vigia") / name);
    }
    ASSERT_TRUE(eventually([&] { return raised_cause(instance, kStorage) == "journal-deleted"; }));
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorage).is_null(); }));
    const auto told = told_faults(instance.events("fault"));
    ASSERT_TRUE(told.contains(episode));
    EXPECT_EQ(told.at(episode).recovered, 1);
    const Json history = instance.json({"faults", "history"}).at("episodes");
    std::size_t kept = 0;
    for (const auto& one : history) {
        kept += one.at("episode") == episode ? 1U : 0U;
    }
    EXPECT_EQ(kept, 1U) << "taken over: " << history.dump(1);

    // A restart goes on in the same episode and tells nothing again.
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(10s).has_value());
    ASSERT_TRUE(instance.start());
    EXPECT_EQ(raised_fault(instance, kUser).at("episode"), episode);
    ASSERT_NO_FATAL_FAILURE(tighten_it(instance));
    const auto after = told_faults(instance.events("fault")).at(episode);
    EXPECT_EQ(after.raised, 0);
    EXPECT_EQ(after.recovered, 1);
    EXPECT_EQ(after.cleared, 1);
}

TEST_F(FaultStorage, AnEventsFileThatIsRemovedOrReplacedIsSaidAndMinor) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    const auto file = instance.path("var/log/vigia/events.jsonl");
    ASSERT_TRUE(eventually([&] { return fs::exists(file) && fs::file_size(file) > 0; }));
    for (const bool replaced : {false, true}) {
        fs::rename(file, instance.path("taken"));
        if (replaced) {
            write_file(file, "somebody else's\n");
        }
        infect();  // it is missed when something is written
        ASSERT_TRUE(
            eventually([&] { return raised_cause(instance, kStorage) == "events-file-lost"; }));
        EXPECT_EQ(raised_fault(instance, kStorage).at("severity"), "minor");
        EXPECT_EQ(instance.status().at("state"), "protected") << "minor faults leave it so";
        EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorage).is_null(); }));
    }
    const auto told = told_faults(instance.events("fault"));
    EXPECT_EQ(told.size(), 2U);
    for (const auto& [uid, one] : told) {
        EXPECT_EQ(one.raised, 1);
        EXPECT_EQ(one.cleared, 1);
    }
}

TEST_F(FaultStorage, ATornLineIsCutAtTheNextStartAndNothingIsMissing) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    infect();
    ASSERT_TRUE(eventually([&] { return infected_left() == 0 && instance.settled(); }));
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(10s).has_value());
    const auto file = instance.path("var/log/vigia/events.jsonl");
    // In the middle of the last line, as a power loss leaves it.
    ASSERT_GT(fs::file_size(file), 100U);
    fs::resize_file(file, fs::file_size(file) - 40);
    ASSERT_TRUE(instance.start());
    const auto last = [&] { return instance.events().back().at("metadata").at("uid"); };
    ASSERT_TRUE(eventually([&] { return read_text(file).find(last()) != std::string::npos; }));
    const auto lines = lines_of(file);
    expect_no_gap_and_nothing_twice(lines);
    EXPECT_EQ(lines.size(), instance.events().size());
}

}  // namespace
}  // namespace vigia::test
