// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "model/policy.h"
#include "overload/pressure.h"

namespace vigia::overload {

// 0: everything is looked at. 1: what can wait is put off. 2: only what must not wait.
inline constexpr unsigned kHighest = 2;

// "full", "reduced", "critical-only": the mode of the status.
[[nodiscard]] std::string_view mode_of(unsigned level);

// One thing that is too much. The words are public: ring, queue, overflow, lost, events,
// scan-delay, cpu; "calm" for a level that falls.
struct Excess {
    unsigned level = 0;
    std::string_view gauge = "calm";
    double measured = 0;
    double limit = 0;
};

// The worst of what is measured. Pure; an overflow or a loss counts as level 1.
[[nodiscard]] Excess worst_of(const Pressure& pressure, const Policy::Overload& limits);

// At which level we are. Up by one after `rise_after` of pressure (at once from 0 when events were
// lost), down by one after `calm_after` of calm. Calm is less than half of what would raise to the
// level, and less than half of the rate at which it was raised: what is filtered at a level must
// not look like the end of the storm. Each time the storm comes back soon after it seemed to be
// over, calm has to last twice as long, up to eight times. Reads no clock. One thread.
class Levels {
public:
    struct Change {
        unsigned from = 0;
        unsigned to = 0;
        Excess why = {};
    };

    [[nodiscard]] std::optional<Change> look(const Pressure& pressure,
                                             const Policy::Overload& limits,
                                             BootTime now);

    [[nodiscard]] unsigned level() const { return level_; }

    // Why the level is what it is: of the last rise.
    [[nodiscard]] const Excess& why() const { return why_; }

    // There is pressure, or there was until a moment ago.
    [[nodiscard]] bool is_calm() const { return level_ == 0 && !rising_since_; }

private:
    [[nodiscard]] bool is_calm_for(const Pressure& pressure, const Policy::Overload& limits) const;
    [[nodiscard]] std::optional<Change> rise(const Pressure& pressure,
                                             const Policy::Overload& limits,
                                             BootTime now);
    [[nodiscard]] std::optional<Change> fall(const Policy::Overload& limits, BootTime now);

    unsigned level_ = 0;
    Excess why_ = {};
    double rate_at_rise_ = 0;
    unsigned patience_ = 1;  // calm_after, so many times
    std::optional<BootTime> rising_since_ = {};
    std::optional<BootTime> calm_since_ = {};
    std::optional<BootTime> changed_at_ = {};
    std::optional<BootTime> over_at_ = {};  // 0 was reached
};

}  // namespace vigia::overload
