// SPDX-License-Identifier: GPL-2.0-or-later
// A disk that is full or read-only. On private tmpfs mounts; needs the right to mount.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>

#include <fstream>

#include "journal/journal_fixture.h"

namespace vigia::journal {
namespace {

namespace fs = std::filesystem;

class JournalStorageTest : public JournalFixture {
protected:
    // Takes all space that is left.
    void fill() const {
        std::ofstream filler(folder_ / "filler", std::ios::binary | std::ios::app);
        const std::string page(4096, 'f');
        while (filler.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
        }
    }

    void make_room() const { fs::remove(folder_ / "filler"); }

    // Commits until one is refused.
    Error commit_until_refused() {
        for (int at = 0; at < 100'000; ++at) {
            if (auto stored = commit(event(std::string(1000, 'm'))); !stored) {
                return stored.error();
            }
        }
        ADD_FAILURE() << "the disk never became full";
        return {};
    }
};

#define NEEDS_TMPFS(options)                                   \
    if (!mount_tmpfs(options)) {                               \
        GTEST_SKIP() << "needs the right to mount a tmpfs: "   \
                     << fail_errno("mount").error().message(); \
    }

TEST_F(JournalStorageTest, GivesUpItsReserveWhenTheDiskIsFullAndTakesItBackLater) {
    NEEDS_TMPFS("size=4m");
    options_.reserve = 512U << 10U;
    open();
    ASSERT_TRUE(commit(event("x")));
    ASSERT_TRUE(journal_->state().reserve_ready);
    EXPECT_EQ(fs::file_size(folder_ / "journal.reserve"), options_.reserve);
    fill();
    for (int at = 0; at < 10; ++at) {
        ASSERT_TRUE(commit(event(std::string(1000, 'm')))) << "there was room in the reserve";
    }
    EXPECT_FALSE(journal_->state().reserve_ready);
    EXPECT_FALSE(fs::exists(folder_ / "journal.reserve"));
    make_room();
    EXPECT_TRUE(eventually([&] { return journal_->state().reserve_ready; }));
}

TEST_F(JournalStorageTest, HoldsWhatAFullDiskRefusesAndWritesItInOrder) {
    NEEDS_TMPFS("size=4m");
    open();
    ASSERT_TRUE(commit(event("first")));
    fill();
    const auto refused = commit_until_refused();
    EXPECT_EQ(refused.code, std::errc::no_space_on_device) << refused.message();
    EXPECT_FALSE(journal_->state().ok);
    EXPECT_NE(journal_->state().error, "");
    const auto before = journal_->state();
    EXPECT_EQ(before.waiting, 1U);

    Change fact;
    fact.events = {detection("fact")};
    fact.quarantine = {item("done", QuarantineState::Quarantined)};
    fact.values = {{"key", "value"}};
    Change intent;
    intent.events = {detection("intent")};
    intent.quarantine = {item("plan", QuarantineState::Storing)};
    ASSERT_FALSE(journal_->commit(fact));
    ASSERT_FALSE(journal_->commit(intent));
    journal_->append(event("telemetry"));
    ASSERT_TRUE(eventually([&] { return journal_->state().waiting == before.waiting + 3; }));
    EXPECT_EQ(journal_->state().last, before.last);

    make_room();
    ASSERT_TRUE(eventually([&] { return journal_->state().ok; })) << "tried again by itself";
    ASSERT_TRUE(commit(event("last")));
    EXPECT_EQ(journal_->state().waiting, 0U);
    EXPECT_EQ(journal_->state().lost, 0U);
    const auto events = all();
    expect_gapless(events);
    std::vector<std::string> messages;
    for (auto at = before.last; at < events.size(); ++at) {
        messages.push_back(nlohmann::json::parse(events[at].json)["message"]);
    }
    EXPECT_EQ(
        messages,
        (std::vector<std::string>{std::string(1000, 'm'), "fact", "intent", "telemetry", "last"}));
    EXPECT_TRUE(journal_->quarantine("done").value().has_value());
    EXPECT_FALSE(journal_->quarantine("plan").value().has_value());
    EXPECT_EQ(journal_->value("key"), "value");
}

TEST_F(JournalStorageTest, CountsAndTellsWhatItCouldNotHold) {
    NEEDS_TMPFS("size=4m");
    open();
    ASSERT_TRUE(commit(event("first")));
    fill();
    static_cast<void>(commit_until_refused());
    constexpr int kMany = 15'000;
    for (int at = 0; at < kMany; ++at) {
        journal_->append(event("t", at % 3 == 0 ? Severity::Major : Severity::Informational));
    }
    // What is over the bound goes in portions, as the writer comes to it.
    ASSERT_TRUE(eventually([&] {
        const auto state = journal_->state();
        return state.lost >= 5000 && state.lost + state.waiting == kMany + 1;
    }));
    make_room();
    options_.file = folder_ / "journal.db";
    ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    ASSERT_TRUE(eventually([&] { return journal_->state().waiting == 0; }));
    const auto lost = journal_->state().lost;
    const auto events = all();
    expect_gapless(events);
    std::uint64_t told = 0;
    std::uint64_t major = 0;
    for (const auto& one : events) {
        major += one.class_uid == 6002 && one.severity == Severity::Major ? 1 : 0;
        if (one.class_uid == 6008) {
            const auto dropped = nlohmann::json::parse(one.json)["vigia"]["dropped"];
            EXPECT_EQ(dropped["reason"], "storage-failed");
            told += dropped["count"].get<std::uint64_t>();
        }
    }
    EXPECT_EQ(told, lost);
    EXPECT_EQ(major, kMany / 3) << "the lower severity went first";
}

TEST_F(JournalStorageTest, BeginsOnAFullDiskWithTheReserveThatWasLeft) {
    NEEDS_TMPFS("size=4m");
    options_.reserve = 512U << 10U;
    open();
    ASSERT_TRUE(commit(event("x")));
    journal_.reset();
    for (const char* name : {"journal.db", "journal.db-wal", "journal.db-shm"}) {
        fs::remove(folder_ / name);
    }
    fill();
    open();
    EXPECT_TRUE(commit(event("y")));
}

TEST_F(JournalStorageTest, StartsOnAReadOnlyDiskAndWritesOnceItCan) {
    NEEDS_TMPFS("size=4m");
    open();
    ASSERT_TRUE(commit(event("x")));
    const auto epoch = journal_->state().epoch;
    journal_.reset();
    ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=4m"), 0);
    open();
    EXPECT_FALSE(journal_->state().ok);
    const auto refused = commit(event("y"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, std::errc::read_only_file_system) << refused.error().message();
    ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
    ASSERT_TRUE(eventually([&] { return journal_->state().ok; }));
    EXPECT_EQ(journal_->state().epoch, epoch);
    ASSERT_TRUE(commit(event("z")));
    const auto events = all();
    ASSERT_EQ(events.size(), 3U);
    expect_gapless(events);
    EXPECT_TRUE(set_aside().empty());
}

}  // namespace
}  // namespace vigia::journal
