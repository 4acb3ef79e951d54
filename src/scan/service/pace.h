// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>

#include "scan/haste.h"

namespace vigia::scan::detail {

// How the kernel schedules a worker.
enum class Standing : std::uint8_t {
    Normal,  // like everybody
    Low,     // nice 10, no preemption: a tenth of a processor that somebody else wants
    Idle,    // only what nobody else wants
};

// Decides how hard a worker may work (policy scan.cpu_budget). What was asked for by a person runs
// as everybody does. For the rest a worker takes what nobody wants, and keeps an account of the
// share of a processor that the budget grants it: once others have kept it from more than 200 ms of
// processor time times its budget, it runs like everybody until it has made up for that. So others
// lose no more than the budget in the long run, a short burst of work of theirs loses nothing, and
// scanning never starves. Pure: time comes in. One thread.
class Pace {
public:
    struct Instant {
        std::chrono::nanoseconds wall{};  // any clock that never jumps
        std::chrono::nanoseconds cpu{};   // processor time of the process
    };

    // A file begins. `budget`: thousandths of one processor; 0 counts as 1.
    [[nodiscard]] Standing begin(Haste haste, std::uint32_t budget, Instant now);

    // From begin() on: when the worker is owed its share if it gets nothing until then. Never for
    // Standing::Normal.
    [[nodiscard]] std::chrono::nanoseconds patience() const;

    void end(Instant now);

private:
    double budget_ = 0;  // share of one processor
    double owed_ = 0;    // seconds of processor time
    bool catching_up_ = false;
    bool counts_ = false;
    Instant begun_;
};

}  // namespace vigia::scan::detail
