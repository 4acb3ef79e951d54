// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/clock.h"
#include "model/activity.h"
#include "scan/scan_queue.h"

namespace vigia::scan {

// What a ScanQueue knows, without its threads: who waits, for what and until when; who is being
// examined. See scan_queue.h for the promises. Not thread-safe; O(log n).
class PendingObjects {
public:
    explicit PendingObjects(ScanQueue::Options options) : options_(options) {}

    [[nodiscard]] ScanQueue::Pushed push(FileActivity&& activity, Priority priority, BootTime now);

    // The one to examine next of those that are due at `now`.
    [[nodiscard]] std::optional<Pending> take(BootTime now);
    void done(const ObjectId& object, BootTime now);
    [[nodiscard]] ScanQueue::Pushed retry(Pending&& pending,
                                          std::chrono::milliseconds delay,
                                          BootTime now);

    [[nodiscard]] std::size_t pending() const { return entries_.size() + again_; }

    [[nodiscard]] std::size_t in_flight() const {
        return in_flight_.size() + anonymous_in_flight_.size();
    }

    // Known to be due, as of the last call that was given the time.
    [[nodiscard]] std::size_t ready() const;
    // When the first of the others will be.
    [[nodiscard]] std::optional<BootTime> next_due() const;
    [[nodiscard]] std::optional<BootTime> oldest() const;

private:
    // One object that waits.
    struct Waiting {
        Pending pending;
        std::uint64_t number = 0;  // keeps equal times apart
        BootTime floor{};          // set by retry(): not before, whatever happens meanwhile
        bool is_ready = false;     // in its priority's set; else among the delayed
    };

    using Entries = std::list<Waiting>;

    struct Rank {
        BootTime time;
        std::uint64_t number = 0;
        Entries::iterator entry;

        bool operator<(const Rank& other) const {
            return time != other.time ? time < other.time : number < other.number;
        }
    };

    struct InFlight {
        BootTime first_seen;
        std::optional<Pending> again;  // what came since it was taken, or was put back by retry()
        BootTime floor{};              // for `again`
    };

    static constexpr std::size_t kPriorities = 4;

    [[nodiscard]] BootTime due(const Waiting& waiting) const;
    [[nodiscard]] bool is_full(const ObjectId& object) const;
    [[nodiscard]] std::optional<Entries::iterator> choose();

    void enqueue(Entries::iterator entry, BootTime now);
    void dequeue(Entries::iterator entry);
    void add(Pending&& pending, BootTime floor, BootTime now);
    void forget_age(BootTime first_seen);
    void wake_due(BootTime now);
    void merge_under(Entries::iterator entry, Pending&& earlier, BootTime floor, BootTime now);

    ScanQueue::Pushed push_again(InFlight& examined,
                                 FileActivity&& activity,
                                 Priority priority,
                                 BootTime now);
    ScanQueue::Pushed retry_examined(InFlight& examined, Pending&& pending, BootTime floor);

    const ScanQueue::Options options_;
    Entries entries_;
    std::unordered_map<ObjectId, Entries::iterator> by_object_;  // those with a handle
    std::array<std::set<Rank>, kPriorities> ready_;              // by first_seen
    std::set<Rank> delayed_;                                     // by the time they are due
    std::unordered_map<ObjectId, InFlight> in_flight_;
    std::multiset<BootTime> anonymous_in_flight_;  // descriptor mode
    std::multiset<BootTime> ages_;                 // first_seen of all of them
    std::size_t again_ = 0;                        // in_flight_ with something new
    std::uint64_t numbers_ = 0;
    std::uint64_t pops_ = 0;
};

}  // namespace vigia::scan
