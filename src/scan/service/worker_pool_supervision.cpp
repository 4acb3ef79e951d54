// SPDX-License-Identifier: GPL-2.0-or-later
// The supervisor's side of the pool.
#include <algorithm>
#include <ranges>

#include "scan/service/worker_pool.h"
#include "scan/service/worker_pool_entry.h"

namespace vigia::scan::detail {

WorkerId WorkerPool::add(Worker worker) {
    const std::scoped_lock lock(mutex_);
    const auto id = next_id_++;
    auto& entry = entries_[id];
    entry = std::make_unique<Entry>(Entry{.worker = std::move(worker), .id = id});
    if (closed_) {
        retire(*entry);
    } else if (entry->worker.engine == engine_) {
        idle_.push_back(entry.get());
        trim();
        hand_out();
    }
    return id;
}

void WorkerPool::use_engine(std::uint64_t engine) {
    const std::scoped_lock lock(mutex_);
    engine_ = engine;
    busy_ = 0;
    for (auto& entry : entries_ | std::views::values) {
        if (entry->leased || !entry->stays()) {
            continue;
        }
        if (entry->worker.engine == engine) {
            idle_.push_back(entry.get());
        } else {
            retire(*entry);
        }
    }
    hand_out();
}

void WorkerPool::set_target(unsigned target) {
    const std::scoped_lock lock(mutex_);
    if (closed_) {
        return;
    }
    target_ = target;
    trim();
    hand_out();
    waker_.wake();
}

unsigned WorkerPool::target() const {
    const std::scoped_lock lock(mutex_);
    return target_;
}

unsigned WorkerPool::staying_now(std::uint64_t engine) const {
    return static_cast<unsigned>(std::ranges::count_if(
        entries_ | std::views::values,
        [engine](const auto& entry) { return entry->worker.engine == engine && entry->stays(); }));
}

unsigned WorkerPool::staying(std::uint64_t engine) const {
    const std::scoped_lock lock(mutex_);
    return staying_now(engine);
}

unsigned WorkerPool::busy(std::uint64_t engine) const {
    const std::scoped_lock lock(mutex_);
    return static_cast<unsigned>(std::ranges::count_if(
        entries_ | std::views::values,
        [engine](const auto& entry) { return entry->worker.engine == engine && entry->leased; }));
}

WorkerPool::Condition WorkerPool::condition(WorkerId id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) {
        return {};
    }
    const Entry& entry = *found->second;
    return {.killed_at = entry.killed_at,
            .guilty = !entry.cause.empty(),
            .unused = entry.served == 0 && !entry.leased};
}

std::optional<ScanService::Loss> WorkerPool::loss_of(WorkerId id, std::string how) {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second->retired) {
        return std::nullopt;
    }
    Entry& entry = *found->second;
    if (entry.cause.empty()) {
        entry.cause = std::move(how);
    }
    if (!entry.killed_at) {
        entry.killed_at = BootClock::now();  // by whomever: it does not count as ready any more
        idle_.remove(&entry);
    }
    ++lost_;
    return ScanService::Loss{.zygote = false,
                             .pid = entry.worker.pid,
                             .how = entry.cause,
                             .content = entry.flight.content,
                             .path = entry.flight.path,
                             .size = entry.flight.size};
}

void WorkerPool::bury(WorkerId id) {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) {
        return;
    }
    Entry& entry = *found->second;
    idle_.remove(&entry);
    entry.ending = Ending{.how = entry.cause, .blameless = entry.retired};
    ended_.notify_all();
    forget_if_over(entry);
}

void WorkerPool::bury_engine(std::uint64_t engine, const std::string& how) {
    const std::scoped_lock lock(mutex_);
    for (auto next = entries_.begin(); next != entries_.end();) {
        Entry& entry = *(next++)->second;
        if (entry.worker.engine != engine || entry.ending) {
            continue;
        }
        retire(entry);
        // A file whose worker we had killed for it already stays to blame.
        entry.ending = entry.cause.empty() ? Ending{.how = how, .blameless = true}
                                           : Ending{.how = entry.cause, .blameless = false};
        forget_if_over(entry);
    }
    ended_.notify_all();
}

void WorkerPool::set_failed(bool failed) {
    const std::scoped_lock lock(mutex_);
    if (failed == failed_since_.has_value()) {
        return;
    }
    failed_since_ = failed ? std::optional(BootClock::now()) : std::nullopt;
    for (const auto* queue : {&urgent_, &ordinary_}) {
        std::ranges::for_each(*queue, [](Waiter* waiter) { waiter->wake.notify_one(); });
    }
}

void WorkerPool::close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    target_ = 0;  // nobody is hired any more
    for (auto& entry : entries_ | std::views::values) {
        if (entry->leased && !entry->ending) {
            retire(*entry);
        }
    }
    for (const auto* queue : {&urgent_, &ordinary_}) {
        std::ranges::for_each(*queue, [](Waiter* waiter) { waiter->wake.notify_one(); });
    }
}

WorkerPool::Census WorkerPool::census() const {
    const std::scoped_lock lock(mutex_);
    Census census{.ready = {}, .lost = lost_, .waiting = urgent_.size() + ordinary_.size()};
    for (const auto& entry : entries_ | std::views::values) {
        if (entry->worker.engine == engine_ && !entry->killed_at && !entry->ending) {
            census.ready.push_back(entry->worker.pid);
        }
    }
    return census;
}

}  // namespace vigia::scan::detail
