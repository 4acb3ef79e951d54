// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/scan_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace vigia::scan {
namespace {

using namespace std::chrono_literals;
using Pushed = ScanQueue::Pushed;

constexpr auto kNow = 0ms;       // what is not due now is nothing
constexpr auto kPatience = 20s;  // for what must come

ObjectId object(int number) {
    return {.fs = {.word0 = 1, .word1 = 2},
            .handle = {.type = 1, .bytes = "object " + std::to_string(number)}};
}

FileActivity event(int number, FileChange change, std::string path = {}) {
    return {.object = object(number),
            .changes = static_cast<FileChanges>(change),
            .path_hint = std::move(path),
            .read_at = BootClock::now()};
}

FileActivity descriptor_event() {
    return {.object = {.fs = {.word0 = 1, .word1 = 2}, .handle = {}},
            .changes = static_cast<FileChanges>(FileChange::ClosedAfterWrite),
            .path_hint = {},
            .file = UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}};
}

BootTime ago(std::chrono::milliseconds time) {
    return BootClock::now() - time;
}

TEST(ScanQueue, AThousandWritesOfOneFileAreOneEntry) {
    ScanQueue queue({});
    EXPECT_EQ(queue.push(event(1, FileChange::Created, "/a"), Priority::Bulk, ago(5s)),
              Pushed::Added);
    for (int i = 1; i < 1000; ++i) {
        EXPECT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite, "/b"), Priority::Bulk, ago(0s)),
                  Pushed::Merged);
    }
    EXPECT_EQ(queue.pending(), 1U);
    const auto popped = queue.pop(kNow);
    ASSERT_TRUE(popped);
    EXPECT_EQ(popped->merged, 1000U);
    EXPECT_TRUE(has(popped->activity.changes, FileChange::Created));
    EXPECT_TRUE(has(popped->activity.changes, FileChange::ClosedAfterWrite));
    EXPECT_EQ(popped->activity.path_hint, "/b");
    EXPECT_FALSE(queue.pop(kNow));
}

TEST(ScanQueue, AnEventDuringTheExaminationMakesItsObjectPendingAgain) {
    ScanQueue queue({});
    ASSERT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(1s)),
              Pushed::Added);
    ASSERT_TRUE(queue.pop(kNow));
    EXPECT_EQ(queue.in_flight(), 1U);
    EXPECT_EQ(queue.push(event(1, FileChange::MovedIn), Priority::Bulk, ago(0s)), Pushed::Added);
    EXPECT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(0s)),
              Pushed::Merged);
    EXPECT_EQ(queue.pending(), 1U);
    EXPECT_FALSE(queue.pop(kNow)) << "a second lane must not get it meanwhile";
    queue.done(object(1));
    const auto again = queue.pop(kNow);
    ASSERT_TRUE(again);
    EXPECT_TRUE(has(again->activity.changes, FileChange::MovedIn));
    EXPECT_TRUE(has(again->activity.changes, FileChange::ClosedAfterWrite));
    queue.done(object(1));
    EXPECT_FALSE(queue.pop(kNow));
    EXPECT_EQ(queue.in_flight(), 0U);
    EXPECT_FALSE(queue.oldest());
}

TEST(ScanQueue, AFolderThatMovedInIsNeverMergedAway) {
    ScanQueue queue({});
    (void)queue.push(event(1, FileChange::FolderMovedIn, "/new"), Priority::Bulk, ago(1s));
    (void)queue.push(event(1, FileChange::Modified), Priority::Bulk, ago(0s));
    const auto popped = queue.pop(kNow);
    ASSERT_TRUE(popped);
    EXPECT_TRUE(has(popped->activity.changes, FileChange::FolderMovedIn));
    EXPECT_EQ(popped->activity.path_hint, "/new") << "an event without a name takes none away";
}

TEST(ScanQueue, UrgentOnesJumpTheQueueAndEqualOnesComeInOrder) {
    ScanQueue queue({});
    (void)queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(9s));
    (void)queue.push(event(2, FileChange::ClosedAfterWrite), Priority::OnDemand, ago(8s));
    (void)queue.push(event(3, FileChange::ClosedAfterWrite), Priority::Executable, ago(7s));
    (void)queue.push(event(4, FileChange::Executed), Priority::ExecPermission, ago(6s));
    (void)queue.push(event(5, FileChange::ClosedAfterWrite), Priority::Bulk, ago(5s));
    (void)queue.push(event(5, FileChange::ClosedAfterWrite), Priority::Executable, ago(4s));
    std::vector<ObjectId> order;
    while (const auto popped = queue.pop(kNow)) {
        order.push_back(popped->activity.object);
    }
    EXPECT_EQ(order, (std::vector{object(4), object(3), object(5), object(2), object(1)}));
}

TEST(ScanQueue, BulkDoesNotWaitForEverBehindUrgentOnes) {
    ScanQueue queue({});
    (void)queue.push(event(0, FileChange::ClosedAfterWrite), Priority::Bulk, ago(60s));
    int pops = 0;
    bool met = false;
    while (pops < 100 && !met) {
        (void)queue.push(event(1 + pops, FileChange::Executed), Priority::ExecPermission, ago(1s));
        const auto popped = queue.pop(kNow);
        ASSERT_TRUE(popped);
        met = popped->activity.object == object(0);
        ++pops;
    }
    EXPECT_TRUE(met);
    EXPECT_LE(pops, 16);
}

TEST(ScanQueue, AnUnclosedFileIsDueAfterTheDelayCountedFromItsFirstWrite) {
    ScanQueue queue({.unclosed_delay = 10s});
    (void)queue.push(event(1, FileChange::Modified), Priority::Bulk, ago(5s));
    EXPECT_FALSE(queue.pop(kNow));
    EXPECT_EQ(queue.pending(), 1U);
    // It goes on being written: that postpones nothing.
    (void)queue.push(event(2, FileChange::Modified), Priority::Bulk, ago(11s));
    (void)queue.push(event(2, FileChange::Modified), Priority::Bulk, ago(0s));
    const auto popped = queue.pop(kNow);
    ASSERT_TRUE(popped);
    EXPECT_EQ(popped->activity.object, object(2));
    // Written on while it is examined: due again, but a delay later.
    (void)queue.push(event(2, FileChange::Modified), Priority::Bulk, ago(0s));
    queue.done(object(2));
    EXPECT_FALSE(queue.pop(kNow));
    EXPECT_EQ(queue.pending(), 2U);
}

TEST(ScanQueue, ClosingMakesAnUnclosedFileDueAtOnce) {
    ScanQueue queue({.unclosed_delay = 1h});
    (void)queue.push(event(1, FileChange::Modified), Priority::Bulk, ago(0s));
    EXPECT_FALSE(queue.pop(kNow));
    (void)queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(0s));
    EXPECT_TRUE(queue.pop(kNow));
}

TEST(ScanQueue, BulkSettlesForALimitedTimeAndWhatCanRunDoesNot) {
    ScanQueue queue({.settle = 10s});
    ASSERT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(5s)),
              Pushed::Added);
    EXPECT_FALSE(queue.pop(kNow));
    ASSERT_EQ(queue.push(event(2, FileChange::ClosedAfterWrite), Priority::Bulk, ago(11s)),
              Pushed::Added);
    EXPECT_EQ(queue.push(event(2, FileChange::ClosedAfterWrite), Priority::Bulk, ago(0s)),
              Pushed::Merged)
        << "a file that is written again and again must not wait for ever";
    const auto settled = queue.pop(kNow);
    ASSERT_TRUE(settled);
    EXPECT_EQ(settled->activity.object, object(2));
    EXPECT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Executable, ago(0s)),
              Pushed::Merged);
    const auto program = queue.pop(kNow);
    ASSERT_TRUE(program);
    EXPECT_EQ(program->activity.object, object(1));
}

TEST(ScanQueue, WhatHoldsADescriptorDoesNotSettle) {
    ScanQueue queue({.settle = 10s});
    ASSERT_EQ(queue.push(descriptor_event(), Priority::Bulk, ago(0s)), Pushed::Added);
    EXPECT_TRUE(queue.pop(kNow));
}

TEST(ScanQueue, AWaitingLaneGetsAnUnclosedFileWhenItsDelayIsOver) {
    ScanQueue queue({.unclosed_delay = 30ms});
    const auto start = BootClock::now();
    (void)queue.push(event(1, FileChange::Modified), Priority::Bulk, start);
    const auto popped = queue.pop(kPatience);
    ASSERT_TRUE(popped);
    EXPECT_GE(BootClock::now() - start, 30ms);
    EXPECT_LT(BootClock::now() - start, kPatience);
}

TEST(ScanQueue, AnUrgentWishForAnUnclosedFileIsServedAtOnce) {
    ScanQueue queue({.unclosed_delay = 1h});
    (void)queue.push(event(1, FileChange::Modified), Priority::ExecPermission, ago(0s));
    EXPECT_TRUE(queue.pop(kNow));
}

TEST(ScanQueue, WhatDoesNotFitIsRefusedButPendingObjectsStillMerge) {
    ScanQueue queue({.capacity = 2});
    EXPECT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(3s)),
              Pushed::Added);
    EXPECT_EQ(queue.push(event(2, FileChange::ClosedAfterWrite), Priority::Bulk, ago(2s)),
              Pushed::Added);
    EXPECT_EQ(queue.push(event(3, FileChange::ClosedAfterWrite), Priority::Bulk, ago(1s)),
              Pushed::Full);
    EXPECT_EQ(queue.push(event(2, FileChange::MovedIn), Priority::Bulk, ago(1s)), Pushed::Merged);
    ASSERT_TRUE(queue.pop(kNow));
    EXPECT_EQ(queue.push(event(3, FileChange::ClosedAfterWrite), Priority::Bulk, ago(1s)),
              Pushed::Added);
    EXPECT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(1s)),
              Pushed::Added)
        << "an object in flight always finds room";
    EXPECT_EQ(queue.pending(), 3U);
}

TEST(ScanQueue, DescriptorsAreNotMergedAndBoundedByThemselves) {
    ScanQueue queue({.capacity = 0});
    int added = 0;
    while (added < 5000 &&
           queue.push(descriptor_event(), Priority::Bulk, ago(1s)) == Pushed::Added) {
        ++added;
    }
    EXPECT_EQ(added, 4096);
    const auto popped = queue.pop(kNow);
    ASSERT_TRUE(popped);
    EXPECT_TRUE(popped->activity.file);
    EXPECT_EQ(queue.in_flight(), 1U);
    EXPECT_TRUE(queue.pop(kNow)) << "another one of them may be examined meanwhile";
    queue.done({});
    queue.done({});
    EXPECT_EQ(queue.in_flight(), 0U);
    EXPECT_EQ(queue.push(descriptor_event(), Priority::Bulk, ago(1s)), Pushed::Added);
}

TEST(ScanQueue, WhatIsTriedAgainWaitsForItsDelayAndKeepsWhatCameMeanwhile) {
    ScanQueue queue({});
    (void)queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(3s));
    auto popped = queue.pop(kNow);
    ASSERT_TRUE(popped);
    const auto first_seen = popped->first_seen;
    popped->attempts = 1;
    (void)queue.push(event(1, FileChange::MovedIn), Priority::Bulk, ago(0s));
    EXPECT_EQ(queue.retry(*std::move(popped), 1h), Pushed::Merged);
    queue.done(object(1));
    EXPECT_EQ(queue.in_flight(), 0U);
    EXPECT_EQ(queue.pending(), 1U);
    (void)queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(0s));
    EXPECT_FALSE(queue.pop(kNow)) << "a storm of events must not undo the delay";
    EXPECT_EQ(queue.oldest(), first_seen);
    (void)queue.push(event(1, FileChange::Executed), Priority::ExecPermission, ago(0s));
    const auto again = queue.pop(kNow);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->attempts, 1U);
    EXPECT_EQ(again->first_seen, first_seen);
    EXPECT_TRUE(has(again->activity.changes, FileChange::MovedIn));
    EXPECT_TRUE(has(again->activity.changes, FileChange::Executed));
    EXPECT_EQ(again->merged, 4U);
}

TEST(ScanQueue, TryingAgainAfterDoneWorksAsWell) {
    ScanQueue queue({.capacity = 1});
    (void)queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(3s));
    auto popped = queue.pop(kNow);
    ASSERT_TRUE(popped);
    queue.done(object(1));
    EXPECT_EQ(queue.retry(*std::move(popped), 0ms), Pushed::Added);
    popped = queue.pop(kNow);
    ASSERT_TRUE(popped);
    (void)queue.push(event(2, FileChange::ClosedAfterWrite), Priority::Bulk, ago(1s));
    EXPECT_EQ(queue.retry(*std::move(popped), 0ms), Pushed::Added)
        << "what is being examined always finds room";
}

TEST(ScanQueue, TheOldestIsKnownWhetherItWaitsOrIsBeingExamined) {
    ScanQueue queue({.unclosed_delay = 1h});
    const auto first = ago(9s);
    const auto second = ago(5s);
    EXPECT_FALSE(queue.oldest());
    (void)queue.push(event(2, FileChange::Modified), Priority::Bulk, second);
    (void)queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Executable, first);
    EXPECT_EQ(queue.oldest(), first);
    ASSERT_TRUE(queue.pop(kNow));
    EXPECT_EQ(queue.oldest(), first);
    queue.done(object(1));
    EXPECT_EQ(queue.oldest(), second);
}

TEST(ScanQueue, ClosingWakesEverybodyAndGivesNothingMore) {
    ScanQueue queue({});
    std::atomic<int> ended = 0;
    std::vector<std::jthread> lanes;
    lanes.reserve(4);
    for (int i = 0; i < 4; ++i) {
        lanes.emplace_back([&] {
            EXPECT_FALSE(queue.pop(1h));
            ++ended;
        });
    }
    queue.close();
    lanes.clear();
    EXPECT_EQ(ended, 4);
    EXPECT_EQ(queue.push(event(1, FileChange::ClosedAfterWrite), Priority::Bulk, ago(1s)),
              Pushed::Full);
    EXPECT_FALSE(queue.pop(1h));
}

TEST(ScanQueue, FourWritersAndFourLanesLoseNothingAndNeverShareAnObject) {
    constexpr int kObjects = 300;
    constexpr int kEvents = 20'000;
    ScanQueue queue({});
    std::array<std::atomic<int>, kObjects> owners{};
    std::array<std::atomic<int>, kObjects> last_pushed{};
    std::array<std::atomic<int>, kObjects> last_seen{};
    std::atomic<bool> shared = false;
    std::atomic<bool> all_pushed = false;
    std::vector<std::jthread> lanes;
    lanes.reserve(4);
    for (int i = 0; i < 4; ++i) {
        lanes.emplace_back([&] {
            while (!all_pushed || queue.pending() + queue.in_flight() > 0) {
                const auto popped = queue.pop(1ms);
                if (!popped) {
                    continue;
                }
                const auto number = static_cast<std::size_t>(popped->activity.pid);
                shared = shared || owners[number].fetch_add(1) != 0;
                // Whatever was written before now is seen by this examination.
                last_seen[number] = last_pushed[number].load();
                owners[number].fetch_sub(1);
                queue.done(popped->activity.object);
            }
        });
    }
    {
        std::vector<std::jthread> writers;
        writers.reserve(4);
        for (int w = 0; w < 4; ++w) {
            writers.emplace_back([&, w] {
                for (int i = w; i < kEvents; i += 4) {
                    const int number = i * 7919 % kObjects;
                    auto activity = event(number, FileChange::ClosedAfterWrite);
                    activity.pid = number;
                    auto& last = last_pushed[static_cast<std::size_t>(number)];
                    last.fetch_add(1);
                    EXPECT_NE(queue.push(std::move(activity), Priority::Bulk, BootClock::now()),
                              Pushed::Full);
                }
            });
        }
    }
    all_pushed = true;
    lanes.clear();
    EXPECT_FALSE(shared) << "two lanes had the same object";
    for (std::size_t i = 0; i < kObjects; ++i) {
        EXPECT_EQ(last_seen[i], last_pushed[i]) << "an event of object " << i << " was lost";
    }
    EXPECT_FALSE(queue.oldest());
}

// Lanes wait for a minute: only the queue can wake them in time.
TEST(ScanQueue, WhateverBecomesDueWakesALane) {
    ScanQueue queue({.unclosed_delay = 4ms, .settle = 2ms});
    std::vector<std::jthread> lanes;
    lanes.reserve(4);
    for (int i = 0; i < 4; ++i) {
        lanes.emplace_back([&, i](const std::stop_token& stop) {
            std::mt19937 random(static_cast<unsigned>(i));
            while (!stop.stop_requested()) {
                auto popped = queue.pop(60s);
                if (!popped) {
                    continue;
                }
                const auto object = popped->activity.object;
                if (random() % 4 == 0) {
                    (void)queue.retry(*std::move(popped), std::chrono::milliseconds{random() % 4});
                }
                queue.done(object);
            }
        });
    }
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        for (auto left = 1 + random() % 6; left > 0; --left) {
            const auto change =
                random() % 3 == 0 ? FileChange::Modified : FileChange::ClosedAfterWrite;
            const auto priority = random() % 3 == 0 ? Priority::Executable : Priority::Bulk;
            (void)queue.push(
                event(static_cast<int>(random() % 5), change), priority, BootClock::now());
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 1500});
        }
        const auto until = BootClock::now() + kPatience;
        while (queue.pending() + queue.in_flight() > 0 && BootClock::now() < until) {
            std::this_thread::sleep_for(100us);
        }
        if (queue.pending() + queue.in_flight() > 0) {
            ADD_FAILURE() << "in round " << round;
            break;  // the lanes are to be ended all the same
        }
    }
    for (auto& lane : lanes) {
        lane.request_stop();
    }
    queue.close();
}

}  // namespace
}  // namespace vigia::scan
