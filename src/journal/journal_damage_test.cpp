// SPDX-License-Identifier: GPL-2.0-or-later
// What happens to the journal's file behind its back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <fstream>
#include <random>

#include "base/files.h"
#include "journal/journal_fixture.h"

namespace vigia::journal {
namespace {

namespace fs = std::filesystem;

class JournalDamageTest : public JournalFixture {
protected:
    // A stopped journal with `count` events, one quarantined item and one value; its epoch.
    std::string make(int count) {
        open();
        Change change;
        change.quarantine = {item("q1", QuarantineState::Quarantined)};
        change.values = {{"key", "value"}};
        change.episodes = {episode(104)};
        for (int at = 0; at < count; ++at) {
            change.events.push_back(event(std::string(200, 'm')));
        }
        EXPECT_TRUE(journal_->commit(change));
        EXPECT_TRUE(journal_->acknowledge("jsonl", 1));
        auto epoch = journal_->state().epoch;
        journal_.reset();
        return epoch;
    }

    void overwrite(std::uint64_t offset, std::string_view bytes) const {
        std::fstream file(options_.file, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(offset));
        file << bytes;
    }

    // Quarantine and values are there, writing works, the renewal is told first.
    void expect_renewed(const std::string& old_epoch, const std::string& reason) {
        const auto stored = commit(event("after"));
        ASSERT_TRUE(stored) << stored.error().message();
        EXPECT_NE(journal_->state().epoch, old_epoch);
        EXPECT_TRUE(journal_->state().began_new);
        const auto events = all();
        expect_gapless(events);
        const auto first = nlohmann::json::parse(events.at(0).json);
        EXPECT_EQ(first["vigia"]["dropped"]["reason"], reason);
        EXPECT_EQ(journal_->state().last, stored->at(0).sequence);
        EXPECT_TRUE(journal_->state().ok);
    }

    void expect_saved() const {
        EXPECT_EQ(journal_->value("key"), "value");
        const auto items = journal_->quarantine().value();
        ASSERT_EQ(items.size(), 1U);
        EXPECT_EQ(items[0].path, "/srv/\xff");
        const auto open_faults = journal_->episodes(true, 10).value();
        ASSERT_EQ(open_faults.size(), 1U);
        EXPECT_EQ(open_faults[0].id, 104);
        EXPECT_EQ(open_faults[0].cause, "some-cause");
    }
};

TEST_F(JournalDamageTest, SetsAFileAsideThatIsNoDatabaseAndBeginsAnew) {
    const auto epoch = make(3);
    overwrite(0, "this is not a database, whatever it was before");
    open();
    expect_renewed(epoch, "journal-damaged");
    ASSERT_EQ(set_aside().size(), 1U);
    EXPECT_EQ(journal_->state().set_aside, (folder_ / set_aside()[0]).native());
    EXPECT_TRUE(read_file(journal_->state().set_aside, 1U << 20U)->starts_with("this is not"));
}

TEST_F(JournalDamageTest, SavesQuarantineAndValuesFromADamagedFile) {
    const auto epoch = make(2000);
    // Pages of events, far behind the small tables.
    for (std::uint64_t offset = 400'000; offset < 600'000; offset += 4096) {
        overwrite(offset, std::string(4096, '\x5a'));
    }
    open();
    expect_renewed(epoch, "journal-damaged");
    expect_saved();
}

TEST_F(JournalDamageTest, SetsADatabaseOfSomebodyElseAndAFolderAside) {
    const auto epoch = make(1);
    for (const char* name : {"journal.db", "journal.db-wal", "journal.db-shm"}) {
        fs::remove(folder_ / name);
    }
    fs::create_directory(options_.file);
    std::ofstream(options_.file / "x") << "x";
    open();
    expect_renewed(epoch, "journal-damaged");
    EXPECT_TRUE(fs::is_directory(journal_->state().set_aside));
}

TEST_F(JournalDamageTest, NoticesThatItsFileWasDeletedAndTakesOverWhatItHeld) {
    const auto epoch = make(3);
    open();
    fs::remove(options_.file);
    EXPECT_TRUE(commit(event("noticed"))) << "written into the next journal";
    expect_renewed(epoch, "journal-deleted");
    expect_saved();
    EXPECT_EQ(journal_->position("jsonl"), 0U);
    const auto told = nlohmann::json::parse(all().at(0).json)["vigia"]["dropped"];
    EXPECT_EQ(told["epoch"], epoch);
    EXPECT_EQ(told["first"], 1);
    EXPECT_EQ(told["last"], 3);
    EXPECT_EQ(told["undelivered"], 2);
    EXPECT_TRUE(set_aside().empty());
    open();
    expect_saved();
    expect_gapless(all());
}

TEST_F(JournalDamageTest, NoticesADeletedFileWhenNothingIsWritten) {
    const auto epoch = make(3);
    open();
    fs::remove_all(options_.file);
    ASSERT_TRUE(eventually([&] { return journal_->state().epoch != epoch; }));
    EXPECT_TRUE(fs::exists(options_.file));
}

TEST_F(JournalDamageTest, NoticesThatItsWalWasDeleted) {
    const auto epoch = make(3);
    open();
    fs::remove(folder_ / "journal.db-wal");
    expect_renewed(epoch, "journal-deleted");
    expect_saved();
}

TEST_F(JournalDamageTest, NoticesThatItsFileWasReplacedOrEmptied) {
    auto epoch = make(3);
    open();
    fs::copy_file(options_.file, folder_ / "other");
    fs::rename(folder_ / "other", options_.file);
    expect_renewed(epoch, "journal-replaced");
    expect_saved();
    EXPECT_EQ(set_aside().size(), 1U);

    epoch = journal_->state().epoch;
    fs::resize_file(options_.file, 0);
    ASSERT_TRUE(commit(event("x")));
    EXPECT_NE(journal_->state().epoch, epoch);
    expect_saved();
}

TEST_F(JournalDamageTest, GivesAFileUpThatAReaderFindsDamaged) {
    make(3000);
    open();
    const auto epoch = journal_->state().epoch;
    for (std::uint64_t offset = 400'000; offset < 1'200'000; offset += 4096) {
        overwrite(offset, std::string(4096, '\x5a'));
    }
    const auto read = journal_->read({.limit = 10'000});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code.value(), EUCLEAN);
    ASSERT_TRUE(eventually([&] { return journal_->state().epoch != epoch; }));
    expect_renewed(epoch, "journal-damaged");
    expect_saved();
}

TEST_F(JournalDamageTest, KeepsOnlyTheNewestFilesThatWereSetAside) {
    make(1);
    for (int round = 0; round < 6; ++round) {
        overwrite(0, "this is not a database, whatever it was before");
        clock_->advance(std::chrono::seconds{1});
        open();
        ASSERT_TRUE(commit(event("x")));
        journal_.reset();
    }
    EXPECT_EQ(set_aside().size(), 3U);
}

TEST_F(JournalDamageTest, SurvivesAnyDamage) {
    make(300);
    const auto good = read_file(options_.file, std::size_t{16} << 20U).value();
    std::mt19937 random(5);  // NOLINT(bugprone-random-generator-seed): the same cases each run
    for (int round = 0; round < 60; ++round) {
        journal_.reset();
        auto bytes = good;
        const auto spots = 1U << (random() % 10);
        for (unsigned spot = 0; spot < spots; ++spot) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        bytes.resize(round % 4 == 0 ? random() % bytes.size() : bytes.size());
        fs::remove_all(folder_);
        fs::create_directory(folder_);
        std::ofstream(options_.file, std::ios::binary) << bytes;
        open();
        // The first may still meet the damage; it is written into the next journal then.
        static_cast<void>(journal_->read({.limit = 10'000}));
        static_cast<void>(journal_->quarantine());
        ASSERT_TRUE(commit(event("one"))) << "round " << round;
        ASSERT_TRUE(eventually([&] { return journal_->read({.limit = 10'000}).has_value(); }));
        ASSERT_TRUE(commit(event("two"))) << "round " << round;
    }
}

}  // namespace
}  // namespace vigia::journal
