// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <set>

#include "journal/journal_fixture.h"

namespace vigia::journal {
namespace {

class JournalRetentionTest : public JournalFixture {
protected:
    // `count` events of about 2 KiB each, in one transaction.
    void write(int count, Severity severity) {
        Change change;
        for (int at = 0; at < count; ++at) {
            change.events.push_back(event(std::string(1000, 'm'), severity));
        }
        ASSERT_TRUE(journal_->commit(change));
    }

    // What Events Dropped events have told, summed.
    struct Told {
        std::uint64_t count = 0;
        std::uint64_t undelivered = 0;
        std::uint64_t first = UINT64_MAX;
        std::uint64_t last = 0;
        std::set<std::string> reasons;
        std::map<std::string, std::uint64_t> per_class;
    };

    [[nodiscard]] Told told() const {
        Told sum;
        const auto events = journal_->read({.class_uid = 6008}).value();
        for (const auto& one : events) {
            const auto dropped = nlohmann::json::parse(one.json)["vigia"]["dropped"];
            sum.count += dropped["count"].get<std::uint64_t>();
            sum.undelivered += dropped["undelivered"].get<std::uint64_t>();
            sum.first = std::min(sum.first, dropped["first"].get<std::uint64_t>());
            sum.last = std::max(sum.last, dropped["last"].get<std::uint64_t>());
            sum.reasons.insert(dropped["reason"]);
            for (const auto& [name, count] : dropped["per_class"].items()) {
                sum.per_class[name] += count.get<std::uint64_t>();
            }
        }
        return sum;
    }
};

TEST_F(JournalRetentionTest, DropsWhatIsTooOldAndSaysSo) {
    options_.max_age = std::chrono::hours{24};
    open();
    ASSERT_TRUE(commit(event("old")));
    ASSERT_TRUE(commit(detection("old")));
    clock_->advance(std::chrono::hours{23});
    ASSERT_TRUE(commit(event("young")));
    ASSERT_TRUE(journal_->enforce_retention());
    EXPECT_EQ(all().size(), 3U) << "nothing to do yet";
    clock_->advance(std::chrono::hours{2});
    ASSERT_TRUE(journal_->enforce_retention());
    const auto kept = all();
    ASSERT_EQ(kept.size(), 2U);
    EXPECT_EQ(kept[0].sequence, 3U);
    EXPECT_EQ(journal_->state().first, 3U);
    EXPECT_EQ(journal_->state().last, 4U);
    const auto sum = told();
    EXPECT_EQ(sum.first, 1U);
    EXPECT_EQ(sum.last, 2U);
    EXPECT_EQ(sum.per_class, (std::map<std::string, std::uint64_t>{{"2004", 1}, {"6002", 1}}));
    EXPECT_EQ(sum.reasons, (std::set<std::string>{"age"}));
}

TEST_F(JournalRetentionTest, NeverDropsTheNewestEventSoThatNoNumberIsGivenTwice) {
    options_.max_age = std::chrono::hours{1};
    open();
    ASSERT_TRUE(commit(event("only")));
    clock_->advance(std::chrono::hours{24});
    ASSERT_TRUE(journal_->enforce_retention());
    EXPECT_EQ(all().size(), 1U);
    open();
    EXPECT_EQ(commit(event("next")).value().at(0).sequence, 2U);
}

TEST_F(JournalRetentionTest, WaitsForTheSlowestSinkUntilTheSizeForcesIt) {
    options_.max_age = std::chrono::hours{1};
    options_.max_bytes = 1U << 20U;
    open();
    write(10, Severity::Informational);
    ASSERT_TRUE(journal_->acknowledge("jsonl", 10));
    ASSERT_TRUE(journal_->acknowledge("nats", 4));
    clock_->advance(std::chrono::hours{24});
    ASSERT_TRUE(journal_->enforce_retention());
    EXPECT_EQ(told().count, 4U);
    EXPECT_EQ(told().undelivered, 0U);
    EXPECT_EQ(all().front().sequence, 5U);

    write(2000, Severity::Informational);
    ASSERT_TRUE(journal_->enforce_retention());
    EXPECT_GT(told().undelivered, 0U);
    EXPECT_LE(journal_->state().bytes, options_.max_bytes);
}

TEST_F(JournalRetentionTest, GivesUpTheOldestOfTheLowestSeverityForTheSizeAndDetectionsLast) {
    options_.max_bytes = 3U << 20U;
    open();
    Change found;
    for (int at = 0; at < 20; ++at) {
        found.events.push_back(detection("found"));
    }
    ASSERT_TRUE(journal_->commit(found));
    write(400, Severity::Major);
    write(1500, Severity::Informational);
    ASSERT_TRUE(journal_->enforce_retention());
    EXPECT_LE(journal_->state().bytes, options_.max_bytes);
    const auto sum = told();
    EXPECT_EQ(sum.reasons, (std::set<std::string>{"size"}));
    EXPECT_EQ(sum.per_class.contains("2004"), false);
    EXPECT_GT(sum.count, 100U);
    std::map<std::pair<int, Severity>, int> kept;
    std::uint64_t before = 0;
    for (const auto& one : all()) {
        EXPECT_GT(one.sequence, before);
        before = one.sequence;
        ++kept[{one.class_uid, one.severity}];
    }
    EXPECT_EQ((kept[{2004, Severity::Critical}]), 20);
    EXPECT_EQ((kept[{6002, Severity::Major}]), 400);
    EXPECT_EQ(static_cast<std::uint64_t>(kept[{6002, Severity::Informational}]), 1500 - sum.count);
    EXPECT_EQ(sum.first, 421U) << "the oldest of the lowest severity";
    EXPECT_EQ(sum.last, 420 + sum.count);
}

TEST_F(JournalRetentionTest, KeepsTheSizeBoundByItselfWhileEventsPourIn) {
    options_.max_bytes = 2U << 20U;
    open();
    for (int round = 0; round < 12; ++round) {
        write(300, Severity::Informational);
    }
    const auto small = [&] {
        static_cast<void>(commit(event("tick")));
        return told().count > 0 && journal_->state().bytes <= options_.max_bytes;
    };
    EXPECT_TRUE(eventually(small));
    EXPECT_EQ(std::filesystem::file_size(options_.file), journal_->state().bytes);
}

}  // namespace
}  // namespace vigia::journal
