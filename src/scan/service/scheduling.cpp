// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/scheduling.h"

#include <sched.h>
#include <sys/resource.h>

#include <ctime>

namespace vigia::scan::detail {
namespace {

constexpr int kLowNice = 10;

std::chrono::nanoseconds read_clock(clockid_t clock) {
    timespec time{};
    return ::clock_gettime(clock, &time) == 0
               ? std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}
               : std::chrono::nanoseconds{0};
}

}  // namespace

Scheduling::Scheduling(pid_t pid) : pid_(pid) {
    clockid_t processor{};
    if (::clock_getcpuclockid(pid, &processor) == 0) {
        clock_ = processor;
    }
}

Pace::Instant Scheduling::now() const {
    return {.wall = read_clock(CLOCK_MONOTONIC),
            .cpu = clock_ ? read_clock(*clock_) : std::chrono::nanoseconds{0}};
}

// The kernel derives the class of input and output from it: idle, or best effort by nice.
void Scheduling::take(Standing standing) {
    if (standing == standing_) {
        return;
    }
    standing_ = standing;
    const sched_param none{};
    const int policy = standing == Standing::Normal ? SCHED_OTHER
                       : standing == Standing::Low  ? SCHED_BATCH
                                                    : SCHED_IDLE;
    (void)::sched_setscheduler(pid_, policy, &none);
    (void)::setpriority(
        PRIO_PROCESS, static_cast<id_t>(pid_), standing == Standing::Low ? kLowNice : 0);
}

void Scheduling::begin_file(Haste haste, std::uint32_t budget) {
    take(pace_.begin(haste, budget, now()));
}

void Scheduling::rise() {
    take(Standing::Normal);
}

void Scheduling::end_file() {
    pace_.end(now());
}

}  // namespace vigia::scan::detail
