// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "scan/scan_queue.h"

// Random operations on the queue and on a model so simple that it is plainly right: a list of what
// waits, looked through from end to end. Times are an hour ago (due) or now with a delay of an hour
// (not due), so that nothing depends on the speed of the test.
namespace vigia::scan {
namespace {

using namespace std::chrono_literals;
using Pushed = ScanQueue::Pushed;

constexpr std::size_t kCapacity = 12;
constexpr auto kDelay = 1h;

struct Known {
    int object = 0;
    FileChanges changes = 0;
    Priority priority = Priority::Bulk;
    BootTime first_seen{};
    std::uint32_t merged = 1;
    bool held_back = false;  // by retry()

    // Seen first when its first event came, whatever time later ones claim.
    void merge(const Known& later) {
        changes |= later.changes;
        priority = std::min(priority, later.priority);
        merged += later.merged;
    }

    [[nodiscard]] bool is_due(BootTime now) const {
        const bool unclosed = changes == static_cast<FileChanges>(FileChange::Modified) &&
                              priority != Priority::ExecPermission;
        return !held_back && (!unclosed || first_seen + kDelay <= now);
    }
};

class Model {
public:
    Pushed push(const Known& event) {
        const bool urgent = event.priority == Priority::ExecPermission;
        if (auto examined = examined_.find(event.object); examined != examined_.end()) {
            auto& again = examined->second;
            const bool merged = again.has_value();
            if (merged) {
                again->merge(event);
            } else {
                again = event;
            }
            again->held_back = again->held_back && !urgent;
            return merged ? Pushed::Merged : Pushed::Added;
        }
        for (auto& one : waiting_) {
            if (one.object == event.object) {
                one.merge(event);
                one.held_back = one.held_back && !urgent;
                return Pushed::Merged;
            }
        }
        if (waiting_.size() >= kCapacity) {
            return Pushed::Full;
        }
        waiting_.push_back(event);
        return Pushed::Added;
    }

    std::optional<Known> pop(BootTime now) {
        const bool oldest_first = (pops_ + 1) % 16 == 0;
        auto chosen = waiting_.end();
        for (auto one = waiting_.begin(); one != waiting_.end(); ++one) {
            const auto before = [&](const Known& a, const Known& b) {
                return !oldest_first && a.priority != b.priority ? a.priority < b.priority
                                                                 : a.first_seen < b.first_seen;
            };
            if (one->is_due(now) && (chosen == waiting_.end() || before(*one, *chosen))) {
                chosen = one;
            }
        }
        if (chosen == waiting_.end()) {
            return std::nullopt;
        }
        ++pops_;
        const Known taken = *chosen;
        waiting_.erase(chosen);
        examined_[taken.object] = std::nullopt;
        first_seen_[taken.object] = taken.first_seen;
        return taken;
    }

    void done(int object) {
        if (const auto again = examined_[object]) {
            waiting_.push_back(*again);
        }
        examined_.erase(object);
    }

    void retry(Known taken) {
        auto& again = examined_[taken.object];
        const bool urgent = again && again->priority == Priority::ExecPermission;
        if (again) {
            taken.merge(*again);
            taken.first_seen = std::min(taken.first_seen, again->first_seen);
        }
        taken.held_back = !urgent;
        again = taken;
    }

    [[nodiscard]] std::size_t pending() const {
        return waiting_.size() +
               static_cast<std::size_t>(std::ranges::count_if(
                   examined_, [](const auto& one) { return one.second.has_value(); }));
    }

    [[nodiscard]] std::size_t in_flight() const { return examined_.size(); }

    [[nodiscard]] std::optional<BootTime> oldest() const {
        std::vector<BootTime> times;
        times.reserve(waiting_.size() + 2 * examined_.size());
        for (const auto& one : waiting_) {
            times.push_back(one.first_seen);
        }
        for (const auto& [object, again] : examined_) {
            times.push_back(first_seen_.at(object));
            if (again) {
                times.push_back(again->first_seen);
            }
        }
        return times.empty() ? std::nullopt : std::optional(std::ranges::min(times));
    }

private:
    std::vector<Known> waiting_;
    std::map<int, std::optional<Known>> examined_;
    std::map<int, BootTime> first_seen_;
    std::uint64_t pops_ = 0;
};

class Play {
public:
    explicit Play(unsigned seed)
        : random_(seed), queue_({.capacity = kCapacity, .unclosed_delay = kDelay}) {}

    void step() {
        constexpr int kHalf = 50;
        constexpr int kThreeQuarters = 75;
        constexpr int kMost = 95;
        const int what = number(100);
        if (what < kHalf) {
            push();
        } else if (what < kThreeQuarters) {
            pop();
        } else if (!taken_.empty()) {
            end(what >= kMost);
        }
        ASSERT_EQ(queue_.pending(), model_.pending());
        ASSERT_EQ(queue_.in_flight(), model_.in_flight());
        ASSERT_EQ(queue_.oldest(), model_.oldest());
    }

private:
    int number(int below) { return std::uniform_int_distribution(0, below - 1)(random_); }

    void push() {
        Known event{.object = number(20),
                    .changes = static_cast<FileChanges>(1U << static_cast<unsigned>(number(6))),
                    .priority = static_cast<Priority>(number(4))};
        // Each time is another one, so that the order is the same for both.
        event.first_seen = number(2) == 0 ? BootClock::now()
                                          : BootClock::now() - 2 * kDelay - 1ns * number(1 << 30);
        FileActivity activity{
            .object = {.fs = {},
                       .handle = {.type = 0, .bytes = "o" + std::to_string(event.object)}},
            .changes = event.changes,
            .path_hint = {}};
        ASSERT_EQ(queue_.push(std::move(activity), event.priority, event.first_seen),
                  model_.push(event));
    }

    void pop() {
        const auto expected = model_.pop(BootClock::now());
        auto popped = queue_.pop(0ms);
        ASSERT_EQ(popped.has_value(), expected.has_value());
        if (!popped) {
            return;
        }
        ASSERT_EQ(popped->activity.object.handle.bytes, "o" + std::to_string(expected->object));
        ASSERT_EQ(popped->activity.changes, expected->changes);
        ASSERT_EQ(popped->priority, expected->priority);
        ASSERT_EQ(popped->first_seen, expected->first_seen);
        ASSERT_EQ(popped->merged, expected->merged);
        taken_.emplace_back(*std::move(popped), *expected);
    }

    void end(bool try_again) {
        const auto at = taken_.begin() + number(static_cast<int>(taken_.size()));
        auto [pending, known] = std::move(*at);
        taken_.erase(at);
        const ObjectId object = pending.activity.object;
        if (try_again) {
            ASSERT_NE(queue_.retry(std::move(pending), kDelay), Pushed::Full);
            model_.retry(known);
        }
        queue_.done(object);
        model_.done(known.object);
    }

    std::mt19937 random_;
    ScanQueue queue_;
    Model model_;
    std::vector<std::pair<Pending, Known>> taken_;
};

TEST(ScanQueueModel, RandomOperationsGiveWhatTheSimpleModelGives) {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Play play(seed);
        for (int i = 0; i < 2000 && !::testing::Test::HasFatalFailure(); ++i) {
            play.step();
        }
    }
}

}  // namespace
}  // namespace vigia::scan
