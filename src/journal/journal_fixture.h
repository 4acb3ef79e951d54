// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "journal/journal.h"

// For the tests of this folder only.
namespace vigia::journal {

// Time of day that a test moves.
class TestClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const override {
        return WallTime{std::chrono::nanoseconds{now_.load()}};
    }

    void advance(std::chrono::nanoseconds by) { now_ += by.count(); }

private:
    std::atomic<std::int64_t> now_{1'795'375'200'000'000'000};  // 2026-11-22
};

class JournalFixture : public testing::Test {
public:
    JournalFixture() {
        std::string pattern = std::filesystem::temp_directory_path() / "vigia-journal-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        options_ = {.file = folder_ / "journal.db",
                    .device_name = "host-1",
                    .boot_id = "boot-1",
                    .group = std::chrono::milliseconds{20},
                    .reserve = 0,
                    .clock = clock_};
    }

    JournalFixture(const JournalFixture&) = delete;
    JournalFixture& operator=(const JournalFixture&) = delete;

    ~JournalFixture() override {
        journal_.reset();
        if (mounted_) {
            ::umount2(folder_.c_str(), MNT_DETACH);
        }
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

protected:
    // False, with errno, without the right to mount.
    [[nodiscard]] bool mount_tmpfs(const std::string& options) {
        mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, options.c_str()) == 0;
        return mounted_;
    }

    Journal& open() {
        journal_.reset();
        auto journal = Journal::open(options_);
        EXPECT_TRUE(journal) << journal.error().message();
        journal_ = std::move(journal).value();
        return *journal_;
    }

    static Event event(std::string message, Severity severity = Severity::Informational) {
        return {.severity = severity,
                .message = std::move(message),
                .body = ServiceBody{.facts = {{"a", "b"}}}};
    }

    static Event detection(std::string message) {
        return {.severity = Severity::Critical,
                .message = std::move(message),
                .body = DetectionBody{.file = {.path = "/srv/x", .sha256 = {}, .size = 1},
                                      .threat = "T"}};
    }

    static QuarantineItem item(std::string id, QuarantineState state) {
        QuarantineItem item;
        item.id = std::move(id);
        item.state = state;
        item.path = "/srv/\xff";
        return item;
    }

    // Raised, or cleared, with the event that tells it.
    static Change change_of(const Episode& episode) {
        Change change;
        change.events.push_back({.correlation = episode.episode,
                                 .severity = episode.severity,
                                 .message = "fault",
                                 .body = FaultBody{.phase = episode.cleared_at ? FaultPhase::Cleared
                                                                               : FaultPhase::Raised,
                                                   .id = episode.id}});
        change.episodes.push_back(episode);
        return change;
    }

    [[nodiscard]] Episode episode(int id) const {
        return {.id = id,
                .key = "some-fault",
                .cause = "some-cause",
                .evidence = Evidence::Members{{"path", "/srv/x"}},
                .raised_at = clock_->wall()};
    }

    Result<std::vector<StoredEvent>> commit(Event one) {
        Change change;
        change.events.push_back(std::move(one));
        return journal_->commit(std::move(change));
    }

    // Polls; a deadline far beyond what is needed.
    static bool eventually(const std::function<bool()>& holds) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (!holds()) {
            if (std::chrono::steady_clock::now() > until) {
                return false;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
        return true;
    }

    // Everything that is kept, in order.
    [[nodiscard]] std::vector<StoredEvent> all() const {
        std::vector<StoredEvent> events;
        while (true) {
            const auto more = journal_->read(
                {.after = events.empty() ? 0 : events.back().sequence, .limit = 10'000});
            EXPECT_TRUE(more) << more.error().message();
            if (!more || more->empty()) {
                return events;
            }
            events.insert(events.end(), more->begin(), more->end());
        }
    }

    static void expect_gapless(const std::vector<StoredEvent>& events) {
        for (std::size_t at = 0; at < events.size(); ++at) {
            ASSERT_EQ(events[at].sequence, at + 1);
        }
    }

    [[nodiscard]] std::vector<std::string> set_aside() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
            const auto name = entry.path().filename().native();
            if (name.starts_with("journal.db.damaged-") && !name.ends_with("-wal") &&
                !name.ends_with("-shm")) {
                names.push_back(name);
            }
        }
        return names;
    }

    std::filesystem::path folder_;
    std::shared_ptr<TestClock> clock_ = std::make_shared<TestClock>();
    Journal::Options options_;
    std::unique_ptr<Journal> journal_;
    bool mounted_ = false;
};

}  // namespace vigia::journal
