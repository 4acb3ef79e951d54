// SPDX-License-Identifier: GPL-2.0-or-later
// Episodes of faults outlive the process, an upgrade, and a disk that refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <fstream>

#include "journal/journal_fixture.h"
#include "journal/sqlite.h"

namespace vigia::journal {
namespace {

using testing::ElementsAre;

class JournalEpisodesTest : public JournalFixture {
protected:
    [[nodiscard]] std::vector<int> ids(bool open_only, std::size_t limit = 100) const {
        std::vector<int> ids;
        const auto episodes = journal_->episodes(open_only, limit).value();
        ids.reserve(episodes.size());
        for (const auto& one : episodes) {
            ids.push_back(one.id);
        }
        return ids;
    }

    void clear(Episode one) {
        one.cleared_at = clock_->wall();
        one.cleared_because = "condition-gone";
        ASSERT_TRUE(journal_->commit(change_of(one)));
    }
};

TEST_F(JournalEpisodesTest, AreThereAfterReopeningOpenOnesAndClosedOnes) {
    open();
    const auto stays = episode(5);
    ASSERT_TRUE(journal_->commit(change_of(stays)));
    clock_->advance(std::chrono::seconds{1});
    const auto goes = episode(105);
    ASSERT_TRUE(journal_->commit(change_of(goes)));
    clear(goes);

    open();
    EXPECT_THAT(ids(true), ElementsAre(5));
    EXPECT_THAT(ids(false), ElementsAre(5, 105));
    EXPECT_THAT(ids(false, 1), ElementsAre(105)) << "the newest";
    const auto kept = journal_->episodes(true, 10).value().at(0);
    EXPECT_EQ(kept.episode, stays.episode);
    EXPECT_EQ(kept.raised_at, stays.raised_at);
    ASSERT_NE(kept.evidence.find("path"), nullptr);
    EXPECT_EQ(journal_->episodes(false, 10).value().at(1).cleared_because, "condition-gone");
    clear(stays);
    EXPECT_THAT(ids(true), ElementsAre());
    expect_gapless(all());
}

TEST_F(JournalEpisodesTest, AJournalThatHadNoneIsUpgradedAndKeepsWhatItHas) {
    open();
    ASSERT_TRUE(commit(event("of the version before")));
    ASSERT_TRUE(journal_->acknowledge("jsonl", 1));
    const auto epoch = journal_->state().epoch;
    journal_.reset();
    {
        auto old = sqlite::Database::open_or_make(options_.file).value();
        ASSERT_TRUE(old.execute("DROP TABLE episodes; PRAGMA user_version = 1;"));
    }
    open();
    EXPECT_EQ(journal_->state().epoch, epoch);
    EXPECT_FALSE(journal_->state().began_new);
    EXPECT_TRUE(set_aside().empty());
    EXPECT_EQ(journal_->position("jsonl"), 1U);
    ASSERT_TRUE(journal_->commit(change_of(episode(5))));
    open();
    EXPECT_THAT(ids(true), ElementsAre(5));
    EXPECT_EQ(all().size(), 2U);
}

TEST_F(JournalEpisodesTest, AJournalOfALaterVersionIsSetAsideAndNotWrittenTo) {
    open();
    journal_.reset();
    {
        auto later = sqlite::Database::open_or_make(options_.file).value();
        ASSERT_TRUE(later.execute("PRAGMA user_version = 99;"));
    }
    open();
    EXPECT_TRUE(journal_->state().began_new);
    EXPECT_EQ(set_aside().size(), 1U);
}

TEST_F(JournalEpisodesTest, AreHeldWhileTheDiskRefusesAndWrittenWithTheirEvents) {
    if (!mount_tmpfs("size=4m")) {
        GTEST_SKIP() << "needs the right to mount a tmpfs";
    }
    open();
    const auto before = episode(5);
    ASSERT_TRUE(journal_->commit(change_of(before)));
    journal_.reset();
    ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=4m"), 0);
    open();
    ASSERT_FALSE(journal_->state().ok);
    auto ended = before;
    ended.cleared_at = clock_->wall();
    const auto begun = episode(104);
    ASSERT_FALSE(journal_->commit(change_of(ended)));
    ASSERT_FALSE(journal_->commit(change_of(begun)));
    ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
    ASSERT_TRUE(eventually([&] { return journal_->state().ok && journal_->state().waiting == 0; }));
    EXPECT_THAT(ids(true), ElementsAre(104));
    EXPECT_EQ(ids(false).size(), 2U);
    EXPECT_EQ(all().size(), 3U);
    expect_gapless(all());
}

}  // namespace
}  // namespace vigia::journal
