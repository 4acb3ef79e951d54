// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>

#include "scan/service/pace.h"

namespace vigia::scan::detail {

// Puts a Pace into force on a worker, from outside: the worker could not come back from a lower
// standing by itself. Needs CAP_SYS_NICE; without it everything stays as it is, and nothing is
// said: the daemon reports missing capabilities at its start. One thread at a time (whoever holds
// the worker).
class Scheduling {
public:
    // `pid`: of a process that has not been reaped.
    explicit Scheduling(pid_t pid);

    void begin_file(Haste haste, std::uint32_t budget);

    // From begin_file() on: when rise() is due.
    [[nodiscard]] std::chrono::nanoseconds patience() const { return pace_.patience(); }

    // The file has got too little: it goes on like everybody.
    void rise();

    void end_file();

private:
    [[nodiscard]] Pace::Instant now() const;
    void take(Standing standing);

    pid_t pid_;
    std::optional<clockid_t> clock_;  // of its processor time
    Pace pace_;
    Standing standing_ = Standing::Normal;
};

}  // namespace vigia::scan::detail
