// SPDX-License-Identifier: GPL-2.0-or-later
#include "overload/levels.h"

#include <algorithm>
#include <array>
#include <utility>

namespace vigia::overload {
namespace {

constexpr double kCalmShare = 0.5;
constexpr unsigned kMostPatience = 8;
// Within so many times the wait for calm a new storm is the old one that came back.
constexpr int kComesBack = 6;
// Below this share of waiting nobody misses the processor time that we take.
constexpr double kStalled = 0.2;
constexpr double kPercent = 100;

struct Gauge {
    std::string_view word;
    double measured = 0;
    std::array<double, kHighest> limits{};  // of levels 1 and 2
};

std::array<Gauge, 5> gauges_of(const Pressure& pressure, const Policy::Overload& limits) {
    const std::array fill{limits.reduce_percent / kPercent, limits.critical_percent / kPercent};
    const double delay = std::chrono::duration<double>(limits.scan_delay).count();
    const double cpu = limits.cpu_percent / kPercent;
    const bool missed = pressure.stalled.value_or(1) >= kStalled;
    return {Gauge{.word = "ring", .measured = pressure.ring, .limits = fill},
            Gauge{.word = "queue", .measured = pressure.queue, .limits = fill},
            Gauge{.word = "events",
                  .measured = pressure.events_per_second,
                  .limits = {static_cast<double>(limits.reduce_events),
                             static_cast<double>(limits.critical_events)}},
            Gauge{.word = "scan-delay",
                  .measured = std::chrono::duration<double>(pressure.oldest_scan).count(),
                  .limits = {delay, 3 * delay}},
            Gauge{.word = "cpu",
                  .measured = missed ? pressure.cpu : 0,
                  .limits = {cpu, std::min(1.0, 2 * cpu)}}};
}

bool loses(const Pressure& pressure) {
    return pressure.overflows > 0 || pressure.lost > 0;
}

}  // namespace

std::string_view mode_of(unsigned level) {
    constexpr std::array<std::string_view, kHighest + 1> kModes{"full", "reduced", "critical-only"};
    return kModes.at(std::min(level, kHighest));
}

Excess worst_of(const Pressure& pressure, const Policy::Overload& limits) {
    Excess worst;
    for (const auto& gauge : gauges_of(pressure, limits)) {
        for (unsigned level = kHighest; level > worst.level; --level) {
            const double limit = gauge.limits.at(level - 1);
            if (gauge.measured >= limit) {
                worst = {.level = level,
                         .gauge = gauge.word,
                         .measured = gauge.measured,
                         .limit = limit};
            }
        }
    }
    if (worst.level == 0 && loses(pressure)) {
        const bool overflow = pressure.overflows > 0;
        const auto count = overflow ? pressure.overflows : pressure.lost;
        worst = {.level = 1,
                 .gauge = overflow ? "overflow" : "lost",
                 .measured = static_cast<double>(count),
                 .limit = 0};
    }
    return worst;
}

bool Levels::is_calm_for(const Pressure& pressure, const Policy::Overload& limits) const {
    const bool below = std::ranges::all_of(gauges_of(pressure, limits), [&](const Gauge& gauge) {
        return gauge.measured < kCalmShare * gauge.limits.at(level_ - 1);
    });
    // A machine that hums along at a few hundred is not still in its storm.
    const double rate = std::max(rate_at_rise_, static_cast<double>(limits.reduce_events) / 10);
    return below && !loses(pressure) && pressure.events_per_second < kCalmShare * rate;
}

std::optional<Levels::Change> Levels::look(const Pressure& pressure,
                                           const Policy::Overload& limits,
                                           BootTime now) {
    if (auto change = rise(pressure, limits, now)) {
        return change;
    }
    if (level_ == 0) {
        return std::nullopt;
    }
    if (!is_calm_for(pressure, limits)) {
        calm_since_.reset();
        return std::nullopt;
    }
    if (!calm_since_) {
        calm_since_ = now;
    }
    return fall(limits, now);
}

std::optional<Levels::Change> Levels::rise(const Pressure& pressure,
                                           const Policy::Overload& limits,
                                           BootTime now) {
    auto worst = worst_of(pressure, limits);
    // What is lost although less is looked at calls for still less.
    if (level_ == 1 && worst.level == 1 && loses(pressure) &&
        now - *changed_at_ >= limits.rise_after) {
        worst = {.level = kHighest,
                 .gauge = pressure.overflows > 0 ? "overflow" : "lost",
                 .measured = static_cast<double>(std::max(pressure.overflows, pressure.lost)),
                 .limit = 0};
    }
    if (worst.level <= level_) {
        rising_since_.reset();
        return std::nullopt;
    }
    if (!rising_since_) {
        rising_since_ = now;
    }
    const bool at_once = loses(pressure) && level_ == 0;
    if (!at_once && now - *rising_since_ < limits.rise_after) {
        return std::nullopt;
    }
    if (level_ == 0) {
        const bool back = over_at_ && now - *over_at_ < kComesBack * patience_ * limits.calm_after;
        patience_ = back ? std::min(2 * patience_, kMostPatience) : 1;
        rate_at_rise_ = pressure.events_per_second;
    }
    why_ = worst;
    rising_since_.reset();
    calm_since_.reset();
    changed_at_ = now;
    const auto from = level_++;
    return Change{.from = from, .to = level_, .why = why_};
}

std::optional<Levels::Change> Levels::fall(const Policy::Overload& limits, BootTime now) {
    if (now - *calm_since_ < patience_ * limits.calm_after) {
        return std::nullopt;
    }
    calm_since_ = now;  // of the next level as long again
    changed_at_ = now;
    const auto from = level_--;
    if (level_ == 0) {
        calm_since_.reset();
        over_at_ = now;
    }
    return Change{.from = from, .to = level_, .why = {}};
}

}  // namespace vigia::overload
