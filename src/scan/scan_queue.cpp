// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/scan_queue.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <list>
#include <mutex>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace vigia::scan {
namespace {

constexpr std::size_t kPriorities = 4;
constexpr std::size_t kMaxDescriptors = 4096;   // of the daemon's RLIMIT_NOFILE, held while waiting
constexpr std::uint64_t kOldestEvery = 16;

// One object that waits. `floor` is set by retry(): not before, whatever happens meanwhile.
struct Waiting {
    Pending pending;
    std::uint64_t number = 0;   // keeps equal times apart
    BootTime floor{};
    bool ready = false;         // in its priority's set; else in the delayed set

    [[nodiscard]] BootTime due(std::chrono::milliseconds unclosed_delay) const {
        const bool unclosed =
            pending.activity.changes == static_cast<FileChanges>(FileChange::Modified) &&
            pending.priority != Priority::ExecPermission;
        return std::max(floor, unclosed ? pending.first_seen + unclosed_delay : BootTime{});
    }
};

using Entries = std::list<Waiting>;

struct Rank {
    BootTime time;
    std::uint64_t number = 0;
    Entries::iterator entry;

    bool operator<(const Rank& other) const {
        return std::tie(time, number) < std::tie(other.time, other.number);
    }
};

struct InFlight {
    BootTime first_seen;
    std::optional<Pending> again;  // what came since it was taken, or was put back by retry()
    BootTime floor{};              // for `again`
};

void merge(Pending& into, FileActivity&& event, Priority priority) {
    into.activity.changes |= event.changes;
    if (!event.path_hint.empty()) {
        into.activity.path_hint = std::move(event.path_hint);
    }
    if (event.pid != 0) {
        into.activity.pid = event.pid;
    }
    into.activity.read_at = std::min(into.activity.read_at, event.read_at);
    into.priority = std::min(into.priority, priority);
    ++into.merged;
}

// `later` came while `earlier` was being examined.
void merge(Pending& earlier, Pending&& later) {
    const std::uint32_t merged = earlier.merged + later.merged;
    merge(earlier, std::move(later.activity), later.priority);
    earlier.first_seen = std::min(earlier.first_seen, later.first_seen);
    earlier.merged = merged;
    earlier.attempts = std::max(earlier.attempts, later.attempts);
}

bool has_handle(const ObjectId& object) {
    return !object.handle.bytes.empty();
}

}  // namespace

struct ScanQueue::Impl {
    explicit Impl(Options wanted) : options(wanted) {}

    const Options options;
    mutable std::mutex mutex;                // guards what follows
    std::condition_variable changed;
    bool closed = false;
    Entries entries;
    std::unordered_map<ObjectId, Entries::iterator> by_object;   // those with a handle
    std::array<std::set<Rank>, kPriorities> ready;               // by first_seen
    std::set<Rank> delayed;                                      // by the time they are due
    std::unordered_map<ObjectId, InFlight> in_flight;
    std::multiset<BootTime> anonymous_in_flight;                 // descriptor mode
    std::multiset<BootTime> ages;                                // first_seen of all of them
    std::size_t again = 0;                                       // in_flight with something new
    std::uint64_t numbers = 0;
    std::uint64_t pops = 0;

    [[nodiscard]] std::size_t descriptors() const { return entries.size() - by_object.size(); }

    void enqueue(Entries::iterator entry, BootTime now) {
        Pending& pending = entry->pending;
        const BootTime due = entry->due(options.unclosed_delay);
        pending.not_before = due;
        entry->ready = due <= now;
        if (entry->ready) {
            ready[static_cast<std::size_t>(pending.priority)].insert(
                {.time = pending.first_seen, .number = entry->number, .entry = entry});
            changed.notify_one();
            return;
        }
        const auto [at, added] =
            delayed.insert({.time = due, .number = entry->number, .entry = entry});
        if (added && at == delayed.begin()) {
            changed.notify_all();  // each waiter has computed its wait from the one before
        }
    }

    void dequeue(Entries::iterator entry) {
        const Pending& pending = entry->pending;
        if (entry->ready) {
            ready[static_cast<std::size_t>(pending.priority)].erase(
                {.time = pending.first_seen, .number = entry->number, .entry = entry});
        } else {
            delayed.erase(
                {.time = pending.not_before, .number = entry->number, .entry = entry});
        }
    }

    // Its age is already among `ages`.
    void add(Pending&& pending, BootTime floor, BootTime now) {
        const auto entry = entries.insert(
            entries.end(),
            Waiting{.pending = std::move(pending), .number = ++numbers, .floor = floor});
        if (const auto& object = entry->pending.activity.object; has_handle(object)) {
            by_object.emplace(object, entry);
        }
        enqueue(entry, now);
    }

    void forget_age(BootTime first_seen) {
        if (const auto at = ages.find(first_seen); at != ages.end()) {
            ages.erase(at);
        }
    }

    void wake_due(BootTime now) {
        while (!delayed.empty() && delayed.begin()->time <= now) {
            const auto entry = delayed.begin()->entry;
            dequeue(entry);
            enqueue(entry, now);
        }
    }

    [[nodiscard]] std::optional<Entries::iterator> choose() {
        const auto none = ready.end();
        auto chosen = none;
        const bool oldest_first = (pops + 1) % kOldestEvery == 0;
        for (auto set = ready.begin(); set != ready.end(); ++set) {
            if (set->empty() || (chosen != none && !oldest_first)) {
                continue;
            }
            if (chosen == none || *set->begin() < *chosen->begin()) {
                chosen = set;
            }
        }
        if (chosen == none) {
            return std::nullopt;
        }
        ++pops;
        return chosen->begin()->entry;
    }

    [[nodiscard]] Pending take(Entries::iterator entry) {
        dequeue(entry);
        Pending pending = std::move(entry->pending);
        if (const auto& object = pending.activity.object; has_handle(object)) {
            by_object.erase(object);
            in_flight.emplace(object, InFlight{.first_seen = pending.first_seen, .again = {}});
        } else {
            anonymous_in_flight.insert(pending.first_seen);
        }
        entries.erase(entry);
        return pending;
    }

    Pushed push_again(InFlight& examined, FileActivity&& activity, Priority priority, BootTime now) {
        if (priority == Priority::ExecPermission) {
            examined.floor = {};
        }
        if (examined.again) {
            merge(*examined.again, std::move(activity), priority);
            return Pushed::Merged;
        }
        examined.again = Pending{
            .activity = std::move(activity), .priority = priority, .first_seen = now};
        ages.insert(now);
        ++again;
        return Pushed::Added;
    }

    Pushed retry_examined(InFlight& examined, Pending&& pending, BootTime floor) {
        const bool had = examined.again.has_value();
        if (had) {
            floor = examined.again->priority == Priority::ExecPermission ? BootTime{} : floor;
            forget_age(examined.again->first_seen);
            merge(pending, *std::move(examined.again));
        } else {
            ++again;
        }
        ages.insert(pending.first_seen);
        examined.again = std::move(pending);
        examined.floor = floor;
        return had ? Pushed::Merged : Pushed::Added;
    }

    void end_examination(const ObjectId& object) {
        auto examined = in_flight.extract(object);
        if (examined.empty()) {
            return;
        }
        forget_age(examined.mapped().first_seen);
        if (auto& later = examined.mapped().again) {
            --again;
            add(*std::move(later), examined.mapped().floor, BootClock::now());
        }
    }

    void end_anonymous() {
        // Which one it was is not said. Lanes end about in the order in which they began.
        if (!anonymous_in_flight.empty()) {
            forget_age(*anonymous_in_flight.begin());
            anonymous_in_flight.erase(anonymous_in_flight.begin());
        }
    }

    // What waits is newer than `earlier`.
    void merge_under(Entries::iterator entry, Pending&& earlier, BootTime floor, BootTime now) {
        dequeue(entry);
        forget_age(entry->pending.first_seen);
        merge(earlier, std::move(entry->pending));
        ages.insert(earlier.first_seen);
        entry->pending = std::move(earlier);
        entry->floor = std::max(entry->floor, floor);
        enqueue(entry, now);
    }

    [[nodiscard]] bool is_full(const ObjectId& object) const {
        return has_handle(object) ? by_object.size() >= options.capacity
                                  : descriptors() >= kMaxDescriptors;
    }
};

ScanQueue::ScanQueue(Options options) : impl_(std::make_unique<Impl>(options)) {}

ScanQueue::~ScanQueue() = default;

ScanQueue::Pushed ScanQueue::push(FileActivity activity, Priority priority, BootTime now) {
    const std::scoped_lock lock(impl_->mutex);
    if (impl_->closed) {
        return Pushed::Full;
    }
    if (has_handle(activity.object)) {
        if (const auto found = impl_->in_flight.find(activity.object);
            found != impl_->in_flight.end()) {
            return impl_->push_again(found->second, std::move(activity), priority, now);
        }
        if (const auto found = impl_->by_object.find(activity.object);
            found != impl_->by_object.end()) {
            const auto entry = found->second;
            impl_->dequeue(entry);
            merge(entry->pending, std::move(activity), priority);
            if (priority == Priority::ExecPermission) {
                entry->floor = {};
            }
            impl_->enqueue(entry, now);
            return Pushed::Merged;
        }
    }
    if (impl_->is_full(activity.object)) {
        return Pushed::Full;
    }
    impl_->ages.insert(now);
    impl_->add({.activity = std::move(activity), .priority = priority, .first_seen = now}, {}, now);
    return Pushed::Added;
}

std::optional<Pending> ScanQueue::pop(std::chrono::milliseconds timeout) {
    const BootTime deadline = BootClock::now() + timeout;
    std::unique_lock lock(impl_->mutex);
    while (!impl_->closed) {
        const BootTime now = BootClock::now();
        impl_->wake_due(now);
        if (const auto entry = impl_->choose()) {
            return impl_->take(*entry);
        }
        if (now >= deadline) {
            return std::nullopt;
        }
        const BootTime until = impl_->delayed.empty()
                                   ? deadline
                                   : std::min(deadline, impl_->delayed.begin()->time);
        impl_->changed.wait_for(lock, until - now);
    }
    return std::nullopt;
}

void ScanQueue::done(const ObjectId& object) {
    const std::scoped_lock lock(impl_->mutex);
    if (has_handle(object)) {
        impl_->end_examination(object);
    } else {
        impl_->end_anonymous();
    }
}

ScanQueue::Pushed ScanQueue::retry(Pending pending, std::chrono::milliseconds delay) {
    const BootTime now = BootClock::now();
    const BootTime floor = now + delay;
    const ObjectId object = pending.activity.object;
    const std::scoped_lock lock(impl_->mutex);
    if (impl_->closed) {
        return Pushed::Full;
    }
    if (has_handle(object)) {
        if (const auto examined = impl_->in_flight.find(object);
            examined != impl_->in_flight.end()) {
            return impl_->retry_examined(examined->second, std::move(pending), floor);
        }
        if (const auto waiting = impl_->by_object.find(object);
            waiting != impl_->by_object.end()) {
            impl_->merge_under(waiting->second, std::move(pending), floor, now);
            return Pushed::Merged;
        }
    }
    const bool examined = !has_handle(object) && !impl_->anonymous_in_flight.empty();
    if (!examined && impl_->is_full(object)) {
        return Pushed::Full;
    }
    impl_->ages.insert(pending.first_seen);
    impl_->add(std::move(pending), floor, now);
    return Pushed::Added;
}

std::size_t ScanQueue::pending() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->entries.size() + impl_->again;
}

std::size_t ScanQueue::in_flight() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->in_flight.size() + impl_->anonymous_in_flight.size();
}

std::optional<BootTime> ScanQueue::oldest() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->ages.empty() ? std::nullopt : std::optional(*impl_->ages.begin());
}

void ScanQueue::close() {
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->closed = true;
    }
    impl_->changed.notify_all();
}

}  // namespace vigia::scan
