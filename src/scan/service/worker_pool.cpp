// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/worker_pool.h"

#include <algorithm>
#include <chrono>

#include "scan/service/process_facts.h"
#include "scan/service/worker_pool_entry.h"

namespace vigia::scan::detail {
namespace {

// A service that has failed may come back at its next try; nobody hangs on it for longer.
constexpr std::chrono::seconds kFailedPatience{5};
// For the zygote to say how a worker ended.
constexpr std::chrono::milliseconds kLearnHow{500};

}  // namespace

WorkerPool::WorkerPool(const Waker& waker, unsigned target, unsigned recycle_after)
    : waker_(waker), recycle_after_(std::max(recycle_after, 1U)), target_(target) {}

WorkerPool::~WorkerPool() = default;

WorkerPool::Lease::~Lease() {
    if (entry_ != nullptr) {
        (void)give_up("its caller left");
    }
}

const Worker& WorkerPool::Lease::worker() const noexcept {
    return entry_->worker;
}

Scheduling& WorkerPool::Lease::scheduling() const noexcept {
    return entry_->scheduling;
}

void WorkerPool::Lease::put_back(bool suspect) {
    pool_->put_back(*std::exchange(entry_, nullptr), suspect);
}

Ending WorkerPool::Lease::give_up(std::string cause) {
    return pool_->give_up(*std::exchange(entry_, nullptr), std::move(cause));
}

BootTime WorkerPool::patience(BootTime arrived, BootTime deadline) const {
    return failed_since_ ? std::min(deadline, std::max(arrived, *failed_since_) + kFailedPatience)
                         : deadline;
}

std::expected<WorkerPool::Lease, WorkerPool::Refusal> WorkerPool::acquire(Flight flight,
                                                                          bool urgent,
                                                                          BootTime deadline) {
    const auto arrived = BootClock::now();
    auto& queue = urgent ? urgent_ : ordinary_;
    Waiter self;
    std::unique_lock lock(mutex_);
    queue.push_back(&self);
    hand_out();
    while (self.given == nullptr) {
        const auto until = patience(arrived, deadline);
        if (closed_ || BootClock::now() >= until) {
            queue.remove(&self);
            return std::unexpected(closed_            ? Refusal::Stopping
                                   : until < deadline ? Refusal::Failed
                                                      : Refusal::NotReady);
        }
        self.wake.wait_until(lock, until);
    }
    self.given->flight = std::move(flight);
    return Lease(*this, *self.given);
}

void WorkerPool::hand_out() {
    while (!closed_ && busy_ < target_ && !idle_.empty()) {
        auto& queue = urgent_.empty() ? ordinary_ : urgent_;
        if (queue.empty()) {
            return;
        }
        Entry& entry = *idle_.front();
        idle_.pop_front();
        entry.leased = true;
        ++busy_;
        if (entry.served + 1 >= recycle_after_) {
            entry.leaving = true;
            waker_.wake();
        }
        queue.front()->given = &entry;
        queue.front()->wake.notify_one();
        queue.pop_front();
    }
}

void WorkerPool::put_back(Entry& entry, bool suspect) {
    const std::scoped_lock lock(mutex_);
    entry.leased = false;
    entry.flight = {};
    ++entry.served;
    busy_ -= entry.worker.engine == engine_ ? 1 : 0;
    if (entry.ending) {
        forget_if_over(entry);
    } else if (suspect || !entry.stays() || entry.worker.engine != engine_) {
        retire(entry);
    } else {
        idle_.push_back(&entry);
        trim();
    }
    hand_out();
}

Ending WorkerPool::give_up(Entry& entry, std::string cause) {
    std::unique_lock lock(mutex_);
    if (!entry.ending) {
        if (!entry.killed_at) {
            entry.cause = std::move(cause);
            entry.killed_at = BootClock::now();
        }
        kill_by(entry.worker.pidfd.get());
        waker_.wake();
        ended_.wait_for(lock, kLearnHow, [&entry] { return entry.ending.has_value(); });
    }
    auto ending = entry.ending.value_or(Ending{.how = entry.cause, .blameless = false});
    entry.leased = false;
    busy_ -= entry.worker.engine == engine_ ? 1 : 0;
    forget_if_over(entry);
    hand_out();
    return ending;
}

// The number it stops the process by is a pidfd: it cannot hit another.
void WorkerPool::retire(Entry& entry) {
    idle_.remove(&entry);
    if (!entry.killed_at) {
        entry.retired = true;
        entry.killed_at = BootClock::now();
    }
    kill_by(entry.worker.pidfd.get());
    waker_.wake();
}

void WorkerPool::trim() {
    while (!idle_.empty() && staying_now(engine_) > target_) {
        retire(*idle_.back());
    }
}

void WorkerPool::forget_if_over(Entry& entry) {
    if (entry.ending && !entry.leased) {
        entries_.erase(entry.id);
    }
}

}  // namespace vigia::scan::detail
