// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <ratio>
#include <string>

namespace vigia {

// Time of day. May jump; used for what people read and for comparison with file times.
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

// CLOCK_BOOTTIME: never jumps, goes on during suspend. Every duration and deadline uses it.
struct BootClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now() noexcept;
};

using BootTime = BootClock::time_point;

// The wall clock as the daemon sees it. Passed in, so that a test can move it by a day without
// touching the machine's (hard-parts 16). Thread-safe.
class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    [[nodiscard]] virtual WallTime wall() const;

    [[nodiscard]] static BootTime boot() noexcept { return BootClock::now(); }
};

// "2026-11-22T19:20:00.123Z"
[[nodiscard]] std::string to_iso8601(WallTime time);

// Seconds and the like for people: "3 d 4 h", "12 s", "350 ms".
[[nodiscard]] std::string to_text(std::chrono::nanoseconds duration);

}  // namespace vigia
