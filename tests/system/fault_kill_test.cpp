// SPDX-License-Identifier: GPL-2.0-or-later
// timeout: 1200
// The whole daemon is killed at any instant, again and again, while files arrive and faults come
// and go. Afterwards everything has been told once, and everything infected is in the vault.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <random>
#include <thread>

#include "base/clock.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kFiles = 20'000;
constexpr int kEvery = 100;  // one in so many is infected
constexpr int kWriters = 8;
constexpr int kMostRounds = 50;
constexpr int kLeastRounds = 8;
constexpr std::chrono::seconds kKilling{70};
constexpr unsigned kSeed = 20261125;

class FaultKill : public WatchedDisk {
protected:
    FaultKill()
        : instance_({.prefix = ground_.root() / "p",
                     .watch = {watched_.native()},
                     .more = quiet_policy(
                         "overrides = [{ id = 5, raise_after = \"0ms\", clear_after = \"0ms\", "
                         "quiet_after = \"1s\" }, { id = 105, raise_after = \"0ms\", "
                         "clear_after = \"0ms\", quiet_after = \"1s\" }]")}) {}

    ~FaultKill() override {
        allowed_ = kFiles;
        flapping_ = false;
        for (auto& thread : threads_) {
            thread.join();
        }
    }

    // Each writes its share, as far as the rounds have come.
    void begin_writers() {
        for (int writer = 0; writer < kWriters; ++writer) {
            threads_.emplace_back([this, writer] {
                const auto folder = watched_ / fmt::format("w{}", writer);
                fs::create_directories(folder);
                for (int at = writer; at < kFiles; at += kWriters) {
                    while (at >= allowed_) {
                        std::this_thread::sleep_for(2ms);
                    }
                    const bool bad = at % kEvery == writer;
                    write_file(folder / fmt::format("{}-{}", bad ? "bad" : "good", at),
                               bad ? eicar_ : fmt::format("clean content {}\n", at));
                    ++written_;
                    infected_ += bad ? 1 : 0;
                }
            });
        }
    }

    // Faults 5 and 105 come and go. Never an invalid policy while the daemon starts: with none that
    // was ever good it would watch what the default says.
    void begin_flapping() {
        threads_.emplace_back([this] {
            std::mt19937 random(kSeed + 1);
            while (flapping_) {
                {
                    const std::scoped_lock lock(policy_mutex_);
                    if (random() % 2 == 0) {
                        loose_ = !loose_;
                        ::chmod(instance_.path("var/lib/vigia/definitions").c_str(),
                                loose_ ? 0777 : 0755);
                    } else if (invalid_ = !invalid_; invalid_) {
                        instance_.write_policy("[policy]\nname = 7\n");
                    } else {
                        instance_.write_policy();
                    }
                }
                std::this_thread::sleep_for(std::chrono::milliseconds{20 + random() % 150});
            }
        });
    }

    // As soon as it answers: its self-test is not waited for.
    void start() {
        instance_.write_policy();
        invalid_ = false;
        ASSERT_TRUE(instance_.start(false));
        ASSERT_TRUE(eventually([&] { return instance_.cli({"status"}).exit == 0; }))
            << read_text(instance_.path("daemon.err"));
    }

    void kill_and_restart() {
        const std::scoped_lock lock(policy_mutex_);
        instance_.kill(SIGKILL);
        ASSERT_TRUE(instance_.wait(60s).has_value());
        ++kills_;
        ASSERT_NO_FATAL_FAILURE(start());
    }

    // What the API gave was durable.
    void note_acknowledged() {
        std::istringstream lines(instance_.cli({"--json", "events", "--limit", "300"}).out);
        for (std::string line; std::getline(lines, line);) {
            const auto event = Json::parse(line, nullptr, false);
            if (event.is_object()) {
                acknowledged_.emplace(event.at("metadata").at("sequence").get<std::uint64_t>(),
                                      event.at("metadata").at("uid").get<std::string>());
            }
        }
    }

    [[nodiscard]] std::size_t infected_left() const {
        std::size_t left = 0;
        for (const auto& entry : fs::recursive_directory_iterator(watched_)) {
            left += entry.path().filename().native().starts_with("bad") ? 1U : 0U;
        }
        return left;
    }

    void end_everything() {
        allowed_ = kFiles;
        flapping_ = false;
        for (auto& thread : threads_) {
            thread.join();
        }
        threads_.clear();
        instance_.write_policy();
        ASSERT_EQ(::chmod(instance_.path("var/lib/vigia/definitions").c_str(), 0755), 0);
        ASSERT_TRUE(eventually([&] { return infected_left() == 0 && instance_.settled(); }, 600s))
            << infected_left() << " infected files left; " << instance_.status()["scan"].dump();
        ASSERT_TRUE(eventually([&] {
            return instance_.json({"faults", "list"}).at("faults").empty();
        })) << instance_.cli({"faults", "list"}).out;
    }

    void expect_events_complete() {
        // What stopping says is the last event; the file has it when the process has ended.
        instance_.kill(SIGTERM);
        ASSERT_TRUE(instance_.wait(20s).has_value());
        ASSERT_TRUE(instance_.start());
        const auto in_journal = instance_.events();
        const auto file = instance_.path("var/log/vigia/events.jsonl");
        const auto last = in_journal.back().at("metadata").at("uid").get<std::string>();
        ASSERT_TRUE(eventually([&] { return read_text(file).find(last) != std::string::npos; }));
        const auto in_file = lines_of(file);
        expect_no_gap_and_nothing_twice(in_journal);
        expect_no_gap_and_nothing_twice(in_file);
        std::map<std::uint64_t, std::string> uids;
        for (const auto& event : in_file) {
            uids[event.at("metadata").at("sequence")] = event.at("metadata").at("uid");
        }
        for (const auto& event : in_journal) {
            EXPECT_EQ(uids[event.at("metadata").at("sequence")],
                      event.at("metadata").at("uid").get<std::string>());
        }
        for (const auto& [sequence, uid] : acknowledged_) {
            EXPECT_EQ(uids[sequence], uid) << "event " << sequence << " was given out and is gone";
        }
        EXPECT_GT(acknowledged_.size(), 100U);
        fmt::print("{} kills, {} events, {} of them acknowledged before a kill\n",
                   kills_,
                   in_file.size(),
                   acknowledged_.size());
    }

    void expect_episodes_complete() const {
        int episodes = 0;
        const auto all = told_faults(lines_of(instance_.path("var/log/vigia/events.jsonl")));
        for (const auto& [uid, told] : all) {
            ++episodes;
            EXPECT_EQ(told.raised, 1) << told.id << " " << uid;
            EXPECT_EQ(told.recovered, 0) << told.id << " " << uid;
            EXPECT_EQ(told.cleared, 1) << told.id << " " << uid;
        }
        EXPECT_GT(episodes, 4);
        const auto history = instance_.json({"faults", "history", "--limit", "10000"});
        for (const auto& one : history.at("episodes")) {
            EXPECT_FALSE(one.at("cleared_at").is_null()) << one.dump();
        }
        fmt::print("{} episodes\n", episodes);
    }

    Instance instance_;
    std::vector<std::thread> threads_;
    std::atomic<int> allowed_ = 0;
    std::atomic<int> written_ = 0;
    std::atomic<int> infected_ = 0;
    std::atomic<bool> flapping_ = true;
    std::mutex policy_mutex_;  // guards loose_, invalid_ and the policy file
    bool loose_ = false;
    bool invalid_ = false;
    int kills_ = 0;
    std::map<std::uint64_t, std::string> acknowledged_;
};

TEST_F(FaultKill, NothingIsLostDoubledOrLeftHalfDoneHoweverOftenItIsKilled) {
    ASSERT_NO_FATAL_FAILURE(start());
    begin_writers();
    begin_flapping();
    std::mt19937 random(kSeed);
    const auto until = BootClock::now() + kKilling;
    for (int round = 0; round < kMostRounds && (round < kLeastRounds || BootClock::now() < until);
         ++round) {
        allowed_ = std::min(kFiles, (round + 1) * kFiles / 30);
        note_acknowledged();
        // Not a wait for anything: the instant of the kill is what is being varied.
        std::this_thread::sleep_for(std::chrono::milliseconds{random() % 1000});
        ASSERT_NO_FATAL_FAILURE(kill_and_restart());
    }
    ASSERT_NO_FATAL_FAILURE(end_everything());
    EXPECT_EQ(written_, kFiles);
    ASSERT_NO_FATAL_FAILURE(expect_events_complete());
    expect_episodes_complete();
    const auto items = instance_.json({"quarantine", "list"}).at("items");
    std::map<std::string, std::string> seen;  // path → the item
    for (const auto& item : items) {
        const auto [first, is_new] = seen.emplace(item.at("path"), item.dump());
        EXPECT_TRUE(is_new) << "twice in the vault:\n" << first->second << "\n" << item.dump();
    }
    EXPECT_EQ(items.size(), static_cast<std::size_t>(infected_));
    for (const auto& item : items) {
        EXPECT_EQ(item.at("state"), "quarantined") << item.dump();
    }
}

}  // namespace
}  // namespace vigia::test
