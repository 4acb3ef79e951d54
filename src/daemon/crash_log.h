// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/facts.h"

namespace vigia::daemon {

// The value of the journal that keeps the record.
inline constexpr const char* kCrashes = "scan-crashes";

// The newest abnormal ends of scan workers, over a restart of the daemon as well: what fault 6
// counts must not begin anew because the daemon was restarted, too. Thread-safe.
class CrashLog {
public:
    explicit CrashLog(std::string boot_id) : boot_id_(std::move(boot_id)) {}

    // What note() gave in the run before. Ages within this boot of the machine are those of the
    // boot clock, else of the wall clock. A record that does not parse is none.
    void restore(const std::string& record, WallTime wall, BootTime now);

    // The record to be made durable together with the event of this end.
    [[nodiscard]] std::string note(Facts::Crash crash);

    // Oldest first.
    [[nodiscard]] std::vector<Facts::Crash> list() const;

private:
    [[nodiscard]] std::string record() const;

    const std::string boot_id_;
    mutable std::mutex mutex_;  // guards crashes_
    std::deque<Facts::Crash> crashes_;
};

}  // namespace vigia::daemon
