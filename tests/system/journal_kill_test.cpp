// SPDX-License-Identifier: GPL-2.0-or-later
// A process that commits, and hands events on to the JSONL file, is killed at any instant, again
// and again, on the same files. Nothing that it was told to be durable may be missing, nothing
// twice.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "base/log.h"
#include "daemon/event_log.h"
#include "daemon/reporter.h"
#include "daemon/sink_pump.h"
#include "journal/journal.h"

namespace vigia {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 30;
constexpr unsigned kKeepAll = 500;  // rotated files: none may go before it has been looked at

class JournalKillTest : public testing::Test {
public:
    JournalKillTest() {
        std::string pattern = fs::temp_directory_path() / "vigia-journal-kill-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }

    JournalKillTest(const JournalKillTest&) = delete;
    JournalKillTest& operator=(const JournalKillTest&) = delete;

    ~JournalKillTest() override {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

protected:
    [[nodiscard]] journal::Journal::Options journal_options() const {
        return {.file = folder_ / "journal.db",
                .device_name = "host",
                .boot_id = "boot",
                .group = std::chrono::milliseconds{5},
                .reserve = std::uint64_t{1} << 20U};
    }

    [[nodiscard]] sinks::JsonlSink::Options sink_options() const {
        return {.file = folder_ / "events.jsonl",
                .rotate_bytes = std::uint64_t{128} << 10U,
                .keep = kKeepAll};
    }

    // Commits pairs of a quarantine item and its event as fast as it can; writes down each one that
    // was acknowledged. A write(2) survives the kill of its process.
    void commit_for_ever(journal::Journal& journal, int acknowledged) const {
        while (true) {
            journal::Change change;
            change.events.push_back({.severity = Severity::Major,
                                     .message = "quarantined",
                                     .body = DetectionBody{.phase = DetectionPhase::Quarantined,
                                                           .file = {.path = "/srv/x"},
                                                           .threat = "T"}});
            QuarantineItem item;
            item.id = Uuid::random().text;
            item.state = QuarantineState::Quarantined;
            change.quarantine.push_back(item);
            const auto stored = journal.commit(std::move(change));
            if (!stored) {
                ::_exit(3);
            }
            const auto line =
                fmt::format("{} {} {}\n", stored->at(0).sequence, stored->at(0).uid, item.id);
            if (::write(acknowledged, line.data(), line.size()) !=
                static_cast<ssize_t>(line.size())) {
                ::_exit(4);
            }
            journal.append({.message = "telemetry", .body = ServiceBody{}});
        }
    }

    // Never returns. `ready` gets a byte when everything runs.
    [[noreturn]] void child(int ready) const {
        auto journal = journal::Journal::open(journal_options());
        const auto acknowledged = open_at(
            AT_FDCWD, (folder_ / "acknowledged").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (!journal || !acknowledged) {
            ::_exit(2);
        }
        const Clock clock;
        daemon::Reporter reporter(**journal, clock);
        daemon::SinkPump pump(reporter, daemon::event_log(sink_options()));
        pump.start();
        std::vector<std::thread> threads;
        threads.reserve(3);
        for (int at = 0; at < 3; ++at) {
            threads.emplace_back([&] { commit_for_ever(**journal, acknowledged->get()); });
        }
        if (::write(ready, "r", 1) != 1) {
            ::_exit(5);
        }
        ::pause();  // until the kill
        ::_exit(6);
    }

    struct Child {
        pid_t pid = -1;
        UniqueFd ready;
    };

    [[nodiscard]] Child start() const {
        int ends[2] = {-1, -1};
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        UniqueFd read_end(ends[0]);
        const UniqueFd write_end(ends[1]);
        const pid_t pid = ::fork();
        if (pid == 0) {
            child(write_end.get());
        }
        return {.pid = pid, .ready = std::move(read_end)};
    }

    static void kill_and_reap(pid_t pid) {
        ASSERT_EQ(::kill(pid, SIGKILL), 0);
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
    }

    // Gives the JSONL file what it has not got yet.
    void deliver_all(journal::Journal& journal) const {
        const Clock clock;
        daemon::Reporter reporter(journal, clock);
        daemon::SinkPump pump(reporter, daemon::event_log(sink_options()));
        pump.start();
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        while (pump.state().delivered < journal.state().last) {
            ASSERT_LT(std::chrono::steady_clock::now(), until) << pump.state().error;
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
        journal.on_commit({});
    }

    struct Line {
        std::uint64_t sequence = 0;
        std::string uid;
        std::string epoch;
    };

    // All lines of all files, oldest first.
    [[nodiscard]] std::vector<Line> lines() const {
        std::vector<Line> all;
        for (int number = kKeepAll; number >= 0; --number) {
            const auto name = number == 0 ? "events.jsonl" : fmt::format("events.jsonl.{}", number);
            std::ifstream file(folder_ / name);
            for (std::string text; std::getline(file, text);) {
                const auto json = nlohmann::json::parse(text, nullptr, false);
                EXPECT_TRUE(json.is_object()) << name << ": " << text;
                if (json.is_object()) {
                    all.push_back({.sequence = json["metadata"]["sequence"],
                                   .uid = json["metadata"]["uid"],
                                   .epoch = json["vigia"]["journal_epoch"]});
                }
            }
        }
        return all;
    }

    void expect_acknowledged_in(journal::Journal& journal) const {
        std::map<std::uint64_t, std::string> in_journal;
        while (true) {
            const auto after = in_journal.empty() ? 0 : in_journal.rbegin()->first;
            const auto more = journal.read({.after = after, .limit = 10'000});
            ASSERT_TRUE(more) << more.error().message();
            if (more->empty()) {
                break;
            }
            for (const auto& event : *more) {
                ASSERT_EQ(event.sequence, in_journal.size() + 1) << "a gap";
                in_journal.emplace(event.sequence, event.uid);
            }
        }
        std::set<std::string> items;
        const auto quarantine = journal.quarantine();
        ASSERT_TRUE(quarantine);
        for (const auto& item : *quarantine) {
            items.insert(item.id);
        }
        std::ifstream file(folder_ / "acknowledged");
        std::size_t count = 0;
        std::uint64_t sequence = 0;
        std::string uid;
        std::string item;
        while (file >> sequence >> uid >> item) {
            ++count;
            ASSERT_EQ(in_journal[sequence], uid) << "an acknowledged event is gone";
            ASSERT_TRUE(items.contains(item)) << "an acknowledged item is gone";
        }
        EXPECT_GT(count, 100U) << "it has hardly done anything";
        fmt::print("{} events, {} of them acknowledged commits, {} JSONL files\n",
                   in_journal.size(),
                   count,
                   std::distance(fs::directory_iterator(folder_), fs::directory_iterator{}));
    }

    fs::path folder_;
};

TEST_F(JournalKillTest, LosesAndDoublesNothingHoweverOftenItIsKilled) {
    std::string epoch;
    {
        auto journal = journal::Journal::open(journal_options());
        ASSERT_TRUE(journal) << journal.error().message();
        epoch = (*journal)->state().epoch;
    }
    std::mt19937 random(std::random_device{}());
    for (int round = 0; round < kRounds; ++round) {
        const auto child = start();
        char byte = 0;
        ASSERT_EQ(::read(child.ready.get(), &byte, 1), 1) << "it did not come up";
        // Not a wait for anything: the instant of the kill is what is being varied.
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 200'000});
        ASSERT_NO_FATAL_FAILURE(kill_and_reap(child.pid));
    }
    auto journal = journal::Journal::open(journal_options());
    ASSERT_TRUE(journal) << journal.error().message();
    EXPECT_TRUE((*journal)->state().unclean);
    EXPECT_EQ((*journal)->state().epoch, epoch);
    EXPECT_EQ((*journal)->state().set_aside, "");
    ASSERT_NO_FATAL_FAILURE(deliver_all(**journal));
    ASSERT_NO_FATAL_FAILURE(expect_acknowledged_in(**journal));

    std::set<std::string> uids;
    std::uint64_t expected = 1;
    const auto delivered = lines();
    for (const auto& line : delivered) {
        ASSERT_EQ(line.sequence, expected++) << "missing or twice in the JSONL file";
        ASSERT_TRUE(uids.insert(line.uid).second) << "twice: " << line.uid;
        ASSERT_EQ(line.epoch, epoch);
    }
    EXPECT_GE(delivered.size() + 1, (*journal)->state().last);
}

TEST_F(JournalKillTest, ComesUpAgainAfterAKillWhileTheFilesWereBeingMade) {
    std::mt19937 random(std::random_device{}());
    for (int round = 0; round < kRounds; ++round) {
        const auto child = start();
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 60'000});
        ASSERT_NO_FATAL_FAILURE(kill_and_reap(child.pid));
        if (round % 3 == 0) {
            fs::remove_all(folder_);
            fs::create_directory(folder_);
            continue;
        }
        auto journal = journal::Journal::open(journal_options());
        ASSERT_TRUE(journal) << journal.error().message();
        journal::Change change;
        change.events.push_back({.message = "m", .body = ServiceBody{}});
        ASSERT_TRUE((*journal)->commit(change));
        ASSERT_NO_FATAL_FAILURE(deliver_all(**journal));
        const auto delivered = lines();
        for (std::size_t at = 1; at < delivered.size(); ++at) {
            const bool next = delivered[at].sequence == delivered[at - 1].sequence + 1;
            ASSERT_TRUE(next || delivered[at].epoch != delivered[at - 1].epoch);
        }
    }
}

}  // namespace
}  // namespace vigia
