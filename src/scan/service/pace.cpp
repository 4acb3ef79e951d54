// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/pace.h"

#include <algorithm>

namespace vigia::scan::detail {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kWhole = 1000;       // thousandths
constexpr double kGrace = 0.2;        // seconds without any processor time, times the budget
constexpr double kLongestMemory = 1;  // what was taken beyond the budget is forgiven after that
constexpr double kLargestDebt = 0.5;  // seconds at the full budget, to be made up for at once

}  // namespace

Standing Pace::begin(Haste haste, std::uint32_t budget, Instant now) {
    counts_ = haste != Haste::Asked;
    begun_ = now;
    if (!counts_) {
        return Standing::Normal;
    }
    budget_ = std::max<double>(budget, 1) / kWhole;
    catching_up_ = owed_ > (catching_up_ ? 0 : kGrace * budget_);
    if (catching_up_) {
        return Standing::Normal;
    }
    return haste == Haste::Prompt ? Standing::Low : Standing::Idle;
}

std::chrono::nanoseconds Pace::patience() const {
    const Seconds until{std::max(kGrace * budget_ - owed_, 0.0) / budget_};
    return std::chrono::ceil<std::chrono::milliseconds>(until) + std::chrono::milliseconds{1};
}

void Pace::end(Instant now) {
    if (!counts_) {
        return;
    }
    const double wall = Seconds(now.wall - begun_.wall).count();
    const double cpu = Seconds(now.cpu - begun_.cpu).count();
    owed_ =
        std::clamp(owed_ + budget_ * wall - cpu, -kLongestMemory * budget_, kLargestDebt * budget_);
}

}  // namespace vigia::scan::detail
