// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "model/activity.h"

namespace vigia::scan {

enum class Priority : std::uint8_t { ExecPermission, Executable, OnDemand, Bulk };

// One pending object: all its events so far, merged.
struct Pending {
    FileActivity activity;
    Priority priority = Priority::Bulk;
    BootTime first_seen{};
    BootTime not_before{};     // MODIFY only: dirty and not closed → due 10 s after the first write
    std::uint32_t merged = 1;  // events in it
    std::uint32_t attempts = 0;
};

// Order: by urgency, then by age; every 16th pop takes the oldest whatever its urgency, so that
// nothing waits for ever. Coalescing by object: a file written a thousand times is one entry; an
// event that arrives while its object is being examined makes it pending again afterwards. Bounded;
// what does not fit is refused so that the caller defers it (never dropped in here).
// Descriptor-mode entries (no handle) are not merged; each holds a descriptor, so at most 4,096 of
// them wait, beyond the capacity. Thread-safe; O(log n).
class ScanQueue {
public:
    struct Options {
        std::size_t capacity = 200'000;
        std::chrono::milliseconds unclosed_delay{10'000};  // hard-parts 1
        // Bulk entries with a handle become due so long after their first event: what is being
        // written is judged once, and a short burst of work is over before its scans begin.
        std::chrono::milliseconds settle{0};
    };

    explicit ScanQueue(Options options);
    ScanQueue(const ScanQueue&) = delete;
    ScanQueue& operator=(const ScanQueue&) = delete;
    ~ScanQueue();

    enum class Pushed : std::uint8_t { Added, Merged, Full };

    // Full (also after close()): nothing was kept. Never so for an object that is pending or being
    // examined: its events always find room.
    [[nodiscard]] Pushed push(FileActivity activity, Priority priority, BootTime now);

    // The most urgent entry that is due; waits at most `timeout`. The object counts as being
    // examined until done() — a second lane never gets it meanwhile.
    [[nodiscard]] std::optional<Pending> pop(std::chrono::milliseconds timeout);
    void done(const ObjectId& object);

    // Back into the queue, not before `delay` from now (a lane could not open it just now, …).
    // Before or after done(), which is still due. Events that came meanwhile are merged into it;
    // they do not shorten the delay, except exec permission. `attempts` is the caller's to count.
    // Never Full for what is being examined, unless closed.
    [[nodiscard]] Pushed retry(Pending pending, std::chrono::milliseconds delay);

    [[nodiscard]] std::size_t pending()
        const;  // with those that will be pending again after done()
    [[nodiscard]] std::size_t in_flight() const;

    // first_seen of the oldest that has no verdict yet, pending or being examined.
    [[nodiscard]] std::optional<BootTime> oldest() const;

    // Wakes all poppers; they get nothing from then on.
    void close();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vigia::scan
