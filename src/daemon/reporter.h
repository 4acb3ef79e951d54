// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "journal/journal.h"

namespace vigia::daemon {

// The one way from the daemon's parts into the journal: fills in the time, logs what the journal
// refuses (once per change of the error), and wakes those who wait for new events. Thread-safe.
class Reporter {
public:
    Reporter(journal::Journal& journal, const Clock& clock);
    Reporter(const Reporter&) = delete;
    Reporter& operator=(const Reporter&) = delete;
    ~Reporter() = default;

    // Durable when it returns true.
    bool commit(journal::Change change);

    // A 6002 event, durable together with `values` of the journal.
    void service(ServiceAction action,
                 Severity severity,
                 std::string message,
                 std::vector<std::pair<std::string, std::string>> facts = {},
                 std::map<std::string, std::string> values = {});

    // Waits until the journal has more than `sequence`, the timeout, or until `stop` is asked for
    // and wake() called. Returns the newest.
    std::uint64_t wait_beyond(std::uint64_t sequence,
                              std::chrono::milliseconds timeout,
                              const std::stop_token& stop = {});

    // Those who wait look at their stop token.
    void wake();

    // Those who wait return at once, from now on.
    void stop_waiting();

    [[nodiscard]] journal::Journal& journal() const { return journal_; }

    [[nodiscard]] WallTime now() const { return clock_.wall(); }

private:
    journal::Journal& journal_;
    const Clock& clock_;
    std::mutex mutex_;  // guards newest_, stopping_, last_error_
    std::condition_variable newer_;
    std::uint64_t newest_ = 0;
    bool stopping_ = false;
    std::string last_error_;
};

}  // namespace vigia::daemon
