// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/journal.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <thread>

#include "journal/journal_fixture.h"

namespace vigia::journal {
namespace {

class JournalTest : public JournalFixture {};

TEST_F(JournalTest, NumbersEventsFromOneAndRendersThem) {
    open();
    EXPECT_TRUE(journal_->state().began_new);
    EXPECT_FALSE(journal_->state().unclean);
    Change change;
    change.events = {event("first"), detection("second")};
    const auto stored = journal_->commit(change);
    ASSERT_TRUE(stored) << stored.error().message();
    ASSERT_EQ(stored->size(), 2U);
    EXPECT_EQ(stored->at(1).sequence, 2U);
    EXPECT_EQ(stored->at(1).uid, change.events[1].uid.text);
    EXPECT_EQ(stored->at(1).class_uid, 2004);
    const auto json = nlohmann::json::parse(stored->at(1).json);
    EXPECT_EQ(json["metadata"]["sequence"], 2);
    EXPECT_EQ(json["vigia"]["journal_epoch"], journal_->state().epoch);
    EXPECT_EQ(json["device"]["hostname"], "host-1");
    EXPECT_EQ(stored->at(0).time, clock_->wall()) << "the time of commit where none was given";

    const auto read = all();
    ASSERT_EQ(read.size(), 2U);
    EXPECT_EQ(read[0].json, stored->at(0).json);
    EXPECT_EQ(read[1].epoch, journal_->state().epoch);
    EXPECT_EQ(journal_->state().last, 2U);
    EXPECT_EQ(journal_->state().first, 1U);
    EXPECT_TRUE(journal_->state().ok);
    struct stat status{};
    ASSERT_EQ(::stat(options_.file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(JournalTest, GoesOnInTheSameEpochAfterACleanStop) {
    open();
    const auto epoch = journal_->state().epoch;
    Change change;
    change.events = {event("one")};
    change.quarantine = {item("q1", QuarantineState::Storing)};
    change.values = {{"watermark", std::string("7\0\xff", 3)}};
    ASSERT_TRUE(journal_->commit(change));
    change.events = {};
    change.quarantine[0].state = QuarantineState::Quarantined;
    ASSERT_TRUE(journal_->commit(change));
    ASSERT_TRUE(journal_->acknowledge("jsonl", 1));

    open();
    EXPECT_EQ(journal_->state().epoch, epoch);
    EXPECT_FALSE(journal_->state().began_new);
    EXPECT_FALSE(journal_->state().unclean);
    EXPECT_EQ(journal_->state().last, 1U);
    EXPECT_EQ(journal_->position("jsonl"), 1U);
    EXPECT_EQ(journal_->value("watermark"), std::string("7\0\xff", 3));
    EXPECT_EQ(journal_->value("nothing"), std::nullopt);
    const auto items = journal_->quarantine().value();
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].state, QuarantineState::Quarantined);
    EXPECT_EQ(items[0].path, "/srv/\xff");
    EXPECT_TRUE(journal_->quarantine("q1").value().has_value());
    EXPECT_FALSE(journal_->quarantine("q2").value().has_value());
    EXPECT_EQ(commit(event("two")).value().at(0).sequence, 2U);
}

TEST_F(JournalTest, WritesTelemetryInGroupsAndInOrder) {
    options_.group = std::chrono::milliseconds{50};
    open();
    for (int at = 0; at < 2500; ++at) {
        journal_->append(event(std::to_string(at)));
    }
    ASSERT_TRUE(eventually([&] { return journal_->state().last == 2500; }));
    const auto events = all();
    expect_gapless(events);
    for (std::size_t at = 0; at < events.size(); ++at) {
        ASSERT_EQ(nlohmann::json::parse(events[at].json)["message"], std::to_string(at));
    }
    EXPECT_EQ(journal_->state().waiting, 0U);
}

TEST_F(JournalTest, WritesTelemetryBeforeTheCommitThatCameAfterIt) {
    options_.group = std::chrono::hours{1};
    open();
    journal_->append(event("before"));
    EXPECT_EQ(commit(event("after")).value().at(0).sequence, 2U);
}

TEST_F(JournalTest, WritesWaitingTelemetryAtACleanStop) {
    options_.group = std::chrono::hours{1};
    open();
    journal_->append(event("late"));
    open();
    EXPECT_EQ(journal_->state().last, 1U);
}

TEST_F(JournalTest, StopsInTimeHoweverMuchWaitsAndIsHonestAboutIt) {
    options_.group = std::chrono::hours{1};
    open();
    constexpr int kMany = 45'000;
    for (int at = 0; at < kMany; ++at) {
        journal_->append(event("x"));
    }
    const auto before = BootClock::now();
    journal_.reset();
    // 1.5 s and one batch: under a sanitizer on a busy machine that takes a while.
    EXPECT_LT(BootClock::now() - before, std::chrono::seconds{15});
    open();
    expect_gapless(all());
    EXPECT_EQ(journal_->state().unclean, all().size() < kMany);
}

TEST_F(JournalTest, CountsAndTellsTelemetryThatDoesNotFit) {
    options_.group = std::chrono::hours{1};
    open();
    std::size_t offered = 0;
    // Far faster than any disk: the buffer overflows.
    while (journal_->state().lost == 0 && offered < 5'000'000) {
        for (int at = 0; at < 1000; ++at) {
            journal_->append(event("x"));
        }
        offered += 1000;
    }
    ASSERT_GT(journal_->state().lost, 0U);
    const auto told = [&] {
        std::uint64_t count = 0;
        const auto drops = journal_->read({.class_uid = 6008}).value();
        for (const auto& one : drops) {
            const auto dropped = nlohmann::json::parse(one.json)["vigia"]["dropped"];
            EXPECT_EQ(dropped["reason"], "telemetry-overflow");
            count += dropped["per_class"]["6002"].get<std::uint64_t>();
        }
        return count;
    };
    ASSERT_TRUE(eventually([&] { return told() == journal_->state().lost; }));
    const auto lost = journal_->state().lost;
    ASSERT_TRUE(eventually([&] { return journal_->state().waiting < 1000; }));
    open();  // writes the rest
    const auto drops = journal_->read({.class_uid = 6008}).value().size();
    EXPECT_EQ(journal_->state().last, offered - lost + drops);
}

TEST_F(JournalTest, LetsManyThreadsCommitWithoutAGap) {
    open();
    constexpr int kThreads = 8;
    constexpr int kEach = 50;
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    threads.reserve(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&] {
            std::uint64_t before = 0;
            for (int at = 0; at < kEach; ++at) {
                const auto stored = commit(event("x"));
                const bool in_order = stored && stored->at(0).sequence > before;
                good += in_order && journal_->state().last >= stored->at(0).sequence ? 1 : 0;
                before = stored ? stored->at(0).sequence : 0;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(good, kThreads * kEach);
    const auto events = all();
    EXPECT_EQ(events.size(), static_cast<std::size_t>(kThreads * kEach));
    expect_gapless(events);
}

TEST_F(JournalTest, ReadsByPositionTimeClassAndTheNewest) {
    open();
    for (int at = 0; at < 10; ++at) {
        ASSERT_TRUE(commit(at % 2 == 0 ? event("e") : detection("d")));
        clock_->advance(std::chrono::seconds{1});
    }
    EXPECT_EQ(journal_->read({.after = 7}).value().size(), 3U);
    EXPECT_EQ(journal_->read({.after = 10}).value().size(), 0U);
    EXPECT_EQ(journal_->read({.after = UINT64_MAX}).value().size(), 0U);
    EXPECT_EQ(journal_->read({.class_uid = 2004}).value().size(), 5U);
    EXPECT_EQ(journal_->read({.limit = 4}).value().back().sequence, 4U);
    const auto newest = journal_->read({.limit = 4, .newest = true}).value();
    EXPECT_EQ(newest.front().sequence, 7U);
    EXPECT_EQ(newest.back().sequence, 10U);
    const auto since = clock_->wall() - std::chrono::milliseconds{2500};
    EXPECT_EQ(journal_->read({.since = since}).value().size(), 2U);
    EXPECT_EQ(journal_->read({.since = since, .class_uid = 2004}).value().size(), 1U);
}

TEST_F(JournalTest, CallsBackWithTheNewestSequenceUntilToldNotTo) {
    open();
    std::atomic<std::uint64_t> newest = 0;
    journal_->on_commit([&](std::uint64_t sequence) { newest = sequence; });
    ASSERT_TRUE(commit(event("x")));
    EXPECT_EQ(newest, 1U) << "before commit() returns";
    journal_->append(event("y"));
    EXPECT_TRUE(eventually([&] { return newest == 2; }));
    journal_->on_commit({});
    ASSERT_TRUE(commit(event("z")));
    EXPECT_EQ(newest, 2U);
}

TEST_F(JournalTest, RefusesAnAcknowledgementOfAnotherEpoch) {
    open();
    ASSERT_TRUE(commit(event("x")));
    const auto epoch = journal_->state().epoch;
    EXPECT_TRUE(journal_->acknowledge("jsonl", 1, epoch));
    const auto stale = journal_->acknowledge("jsonl", 1, "another");
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().code.value(), ESTALE);

    ASSERT_TRUE(journal_->begin_epoch("journal-restored"));
    EXPECT_NE(journal_->state().epoch, epoch);
    EXPECT_EQ(journal_->position("jsonl"), 0U);
    EXPECT_EQ(set_aside().size(), 1U);
    const auto told = all();
    ASSERT_EQ(told.size(), 1U);
    const auto dropped = nlohmann::json::parse(told[0].json)["vigia"]["dropped"];
    EXPECT_EQ(dropped["reason"], "journal-restored");
    EXPECT_EQ(dropped["epoch"], epoch);
    EXPECT_EQ(dropped["last"], 1);
    EXPECT_EQ(dropped["undelivered"], 0);
}

TEST_F(JournalTest, ForgetsASinkForGood) {
    open();
    ASSERT_TRUE(commit(event("x")));
    ASSERT_TRUE(journal_->acknowledge("nats", 1));
    open();
    EXPECT_EQ(journal_->position("nats"), 1U);
    journal_->forget("nats");
    EXPECT_EQ(journal_->position("nats"), 0U);
    open();
    EXPECT_EQ(journal_->position("nats"), 0U);
}

TEST_F(JournalTest, SaysThatTheRunBeforeDidNotStopCleanly) {
    open();
    ASSERT_TRUE(commit(event("x")));
    // What a kill leaves: the files as they are now.
    const auto copy = folder_ / "copy";
    std::filesystem::create_directory(copy);
    for (const char* name : {"journal.db", "journal.db-wal"}) {
        std::filesystem::copy_file(folder_ / name, copy / name);
    }
    options_.file = copy / "journal.db";
    open();
    EXPECT_TRUE(journal_->state().unclean);
    EXPECT_FALSE(journal_->state().began_new);
    ASSERT_TRUE(eventually([&] { return journal_->state().last == 2; }));
    const auto dropped = nlohmann::json::parse(all().back().json)["vigia"]["dropped"];
    EXPECT_EQ(dropped["reason"], "unclean-stop");
    EXPECT_TRUE(dropped["count"].is_null());
    open();
    EXPECT_FALSE(journal_->state().unclean);
}

TEST_F(JournalTest, FailsToOpenWhereThereIsNoFolder) {
    options_.file = folder_ / "missing" / "journal.db";
    const auto journal = Journal::open(options_);
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error().code, std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace vigia::journal
