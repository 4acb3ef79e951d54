// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_journal
// Fault 104 on a disk of the test's own: full, read-only, and files damaged or taken away.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <random>

#include "base/clock.h"
#include "journal/journal.h"
#include "support/storage_faults.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;

TEST_F(FaultStorage, AFullDiskIsSaidDetectionGoesOnAndItClearsWhenThereIsRoom) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    // The reserve goes first: it is filled again until nothing is left.
    Json fault;
    ASSERT_TRUE(eventually([&] {
        fill();
        infect();
        fault = raised_fault(instance, kStorageFault);
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
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }));
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
    ASSERT_TRUE(eventually([&] { return raised_cause(instance, kStorageFault) == "read-only"; }))
        << instance.cli({"faults", "list"}).out;
    const auto fault = raised_fault(instance, kStorageFault);
    EXPECT_EQ(fault.at("severity"), "critical");
    EXPECT_EQ(fault.at("evidence").at("what"), Json::array({"quarantine"}));
    EXPECT_EQ(fault.at("evidence").at("errno"), EROFS);
    EXPECT_EQ(instance.status().at("state"), "degraded");
    remount(vault, 0);
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }));
    EXPECT_TRUE(eventually([&] { return infected_left() == 0; }));
    expect_told_once(instance, 1);
}

TEST_F(FaultStorage, AJournalDamagedUnderItIsReplacedAndWhatIsRaisedIsToldAgain) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    ASSERT_NO_FATAL_FAILURE(loosen_a_folder(instance));
    const auto episode = raised_fault(instance, kUserFault).at("episode").get<std::string>();
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
    ASSERT_TRUE(eventually([&] {
        return raised_cause(instance, kStorageFault) == "database-damaged";
    })) << instance.cli({"faults", "list"}).out;
    const auto aside = raised_fault(instance, kStorageFault).at("evidence").at("set_aside");
    EXPECT_THAT(aside.get<std::string>(), HasSubstr("journal.db.damaged-"));
    EXPECT_TRUE(fs::exists(aside.get<std::string>()));
    EXPECT_TRUE(eventually([&] { return infected_left() == 0; }));
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }));

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

// As if the daemon had been killed between the two.
TEST_F(FaultStorage, AJournalRenewedWithoutTellingAgainIsToldAtTheNextStart) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    ASSERT_NO_FATAL_FAILURE(loosen_a_folder(instance));
    const auto episode = raised_fault(instance, kUserFault).at("episode").get<std::string>();
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(10s).has_value());
    {
        const auto journal = journal::Journal::open(
            {.file = instance.path("var/lib/vigia/journal.db"), .device_name = "", .boot_id = ""});
        ASSERT_TRUE(journal.has_value());
        ASSERT_TRUE((*journal)->begin_epoch("journal-damaged").has_value());
    }
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] { return told_faults(instance.events("fault")).contains(episode); }))
        << "what is raised is in the new journal as well";
    ASSERT_NO_FATAL_FAILURE(tighten_it(instance));
    const auto told = told_faults(instance.events("fault")).at(episode);
    EXPECT_EQ(told.recovered, 1);
    EXPECT_EQ(told.cleared, 1);
}

// The reserve is used up and more happens than can be held: what is lost is told once, and what
// there was is what is there and what is lost.
TEST_F(FaultStorage, WhatIsLostOnAFullDiskIsToldOnceAndTheNumbersAddUp) {
    constexpr std::uint64_t kHeld = 30;
    auto few = on_small_disk();
    few.environment = {fmt::format("VIGIA_TEST_JOURNAL_HELD={}", kHeld)};
    Instance instance(few);
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] {
        fill();
        infect();
        const auto fault = raised_fault(instance, kStorageFault);
        return fault.is_object() && fault.at("cause") == "disk-full";
    }));
    const auto lost = [&] {
        const auto fault = raised_fault(instance, kStorageFault);
        return fault.is_object() ? fault.at("evidence").at("events_lost").get<std::uint64_t>() : 0;
    };
    const auto begun = to_iso8601(Clock().wall());
    ASSERT_TRUE(eventually([&] {
        fill();
        infect();
        return lost() > kHeld;
    })) << raised_fault(instance, kStorageFault).dump(1);
    const auto ended = to_iso8601(Clock().wall());
    make_room();
    ASSERT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }));
    ASSERT_TRUE(eventually([&] { return infected_left() == 0 && instance.settled(); }));
    ASSERT_TRUE(eventually([&] { return in_vault(instance) == std::size_t(infected_); }));

    const auto events = instance.events();
    std::vector<Json> dropped;
    std::uint64_t kept_of_class = 0;
    std::uint64_t canaries = 0;
    for (const auto& event : events) {
        if (word_of(event) == "events-dropped") {
            dropped.push_back(event.at("vigia").at("dropped"));
        }
        const bool of_class = event.at("class_uid") == 2004;
        kept_of_class += of_class ? 1U : 0U;
        canaries += of_class && event.at("vigia").at("severity") == "informational" ? 1U : 0U;
    }
    ASSERT_EQ(dropped.size(), 1U) << Json(dropped).dump(1);
    EXPECT_EQ(dropped[0].at("reason"), "storage-failed");
    std::uint64_t sum = 0;
    for (const auto& [cls, count] : dropped[0].at("per_class").items()) {
        sum += count.get<std::uint64_t>();
    }
    EXPECT_EQ(dropped[0].at("count"), sum);
    EXPECT_GT(sum, kHeld);
    EXPECT_LE(dropped[0].at("first_time"), dropped[0].at("last_time"));
    EXPECT_LE(dropped[0].at("first_time").get<std::string>(), ended);
    EXPECT_GE(dropped[0].at("last_time").get<std::string>(), begun);
    // Of each infected file that was found two things were told: that, and whether it was put away.
    const auto lost_of_class = dropped[0].at("per_class").value("2004", std::uint64_t{0});
    EXPECT_GT(lost_of_class, 0U);
    const auto found = instance.status().at("scan").at("detections").get<std::uint64_t>();
    EXPECT_EQ(kept_of_class + lost_of_class, 2 * found + canaries);
    EXPECT_EQ(events.back().at("metadata").at("sequence"), events.size()) << "gapless";
    expect_told_once(instance, 1);
}

TEST_F(FaultStorage, AJournalDeletedUnderItIsBegunAnewAndWhatIsRaisedIsToldAgain) {
    Instance instance(on_small_disk());
    ASSERT_TRUE(instance.start());
    ASSERT_NO_FATAL_FAILURE(loosen_a_folder(instance));
    const auto episode = raised_fault(instance, kUserFault).at("episode").get<std::string>();
    for (const char* name : {"journal.db", "journal.db-wal", "journal.db-shm"}) {
        fs::remove(instance.path("var/lib/vigia") / name);
    }
    ASSERT_TRUE(
        eventually([&] { return raised_cause(instance, kStorageFault) == "journal-deleted"; }));
    EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }));
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
    EXPECT_EQ(raised_fault(instance, kUserFault).at("episode"), episode);
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
        ASSERT_TRUE(eventually(
            [&] { return raised_cause(instance, kStorageFault) == "events-file-lost"; }));
        EXPECT_EQ(raised_fault(instance, kStorageFault).at("severity"), "minor");
        EXPECT_EQ(instance.status().at("state"), "protected") << "minor faults leave it so";
        EXPECT_TRUE(eventually([&] { return raised_fault(instance, kStorageFault).is_null(); }));
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
