// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "journal/journal.h"
#include "journal/spool.h"

namespace vigia::journal {

// What one caller waits for. Guarded by the inbox's mutex.
struct Ticket {
    bool done = false;
    Result<std::vector<StoredEvent>> result{};
};

enum class Wish : std::uint8_t { Write, Retention, NewEpoch };

struct Request {
    Wish wish = Wish::Write;
    Change change = {};
    std::shared_ptr<Ticket> ticket = {};  // none: telemetry, or nobody waits
    std::string why = {};                 // NewEpoch: stable word
    std::string epoch = {};  // NewEpoch: only if this is still the journal's; empty: any
};

// The way to the writer thread: everything in the order it came. Thread-safe.
class Inbox {
public:
    struct Options {
        std::chrono::milliseconds group{100};  // telemetry waits at most so long
        std::size_t group_events = 1000;       // or until there are so many
        std::size_t max_telemetry = 50'000;    // events; more are counted and dropped
    };

    struct Batch {
        std::vector<Request> requests;
        std::size_t telemetry = 0;  // events in those without a ticket
        DropCounts overflow;        // to be told now
        bool stopping = false;      // stop() has been called
        bool stop = false;          // and nothing will come after this
    };

    explicit Inbox(Options options) : options_(options) {}

    // ECANCELED after stop(), ETIMEDOUT when it has not been answered within `timeout`.
    [[nodiscard]] Result<std::vector<StoredEvent>> submit(Request request,
                                                          std::chrono::milliseconds timeout);

    // Nobody waits for the answer.
    void notify(Request request);

    void append(Event event);

    // The writer's side: blocks until something is due, `patience` is over or the end. At most
    // about 2,000 events.
    [[nodiscard]] Batch take(std::chrono::milliseconds patience);

    void answer(const std::shared_ptr<Ticket>& ticket, Result<std::vector<StoredEvent>> result);

    void stop();

    // Telemetry that waits, and what was dropped since the start.
    [[nodiscard]] std::size_t waiting() const;
    [[nodiscard]] std::uint64_t dropped() const;

private:
    [[nodiscard]] bool is_due() const;
    void push(Request request);
    [[nodiscard]] DropCounts overflow_to_tell();

    Options options_;
    mutable std::mutex mutex_;  // guards everything below
    std::condition_variable work_;
    std::condition_variable answered_;
    std::deque<Request> requests_;
    std::size_t telemetry_ = 0;
    std::size_t tickets_ = 0;  // requests that somebody waits for, or that are no telemetry
    BootTime oldest_telemetry_{};
    DropCounts overflow_;
    BootTime overflow_told_{};
    std::uint64_t dropped_ = 0;
    bool stopping_ = false;
};

}  // namespace vigia::journal
