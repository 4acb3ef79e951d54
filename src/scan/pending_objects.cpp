// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/pending_objects.h"

#include <algorithm>
#include <utility>

namespace vigia::scan {
namespace {

using Pushed = ScanQueue::Pushed;

constexpr std::size_t kMaxDescriptors = 4096;  // of the daemon's RLIMIT_NOFILE, held while waiting
constexpr std::uint64_t kOldestEvery = 16;

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

BootTime PendingObjects::due(const Waiting& waiting) const {
    const Pending& pending = waiting.pending;
    const bool unclosed =
        pending.activity.changes == static_cast<FileChanges>(FileChange::Modified) &&
        pending.priority != Priority::ExecPermission;
    const bool settles = pending.priority == Priority::Bulk && has_handle(pending.activity.object);
    const auto delay = unclosed  ? options_.unclosed_delay
                       : settles ? options_.settle
                                 : std::chrono::milliseconds{0};
    return std::max(waiting.floor, delay.count() > 0 ? pending.first_seen + delay : BootTime{});
}

bool PendingObjects::is_full(const ObjectId& object) const {
    const std::size_t descriptors = entries_.size() - by_object_.size();
    return has_handle(object) ? by_object_.size() >= options_.capacity
                              : descriptors >= kMaxDescriptors;
}

std::size_t PendingObjects::ready() const {
    std::size_t count = 0;
    for (const auto& set : ready_) {
        count += set.size();
    }
    return count;
}

std::optional<BootTime> PendingObjects::next_due() const {
    return delayed_.empty() ? std::nullopt : std::optional(delayed_.begin()->time);
}

std::optional<BootTime> PendingObjects::oldest() const {
    return ages_.empty() ? std::nullopt : std::optional(*ages_.begin());
}

void PendingObjects::enqueue(Entries::iterator entry, BootTime now) {
    Pending& pending = entry->pending;
    pending.not_before = due(*entry);
    entry->is_ready = pending.not_before <= now;
    if (entry->is_ready) {
        ready_[static_cast<std::size_t>(pending.priority)].insert(
            {.time = pending.first_seen, .number = entry->number, .entry = entry});
    } else {
        delayed_.insert({.time = pending.not_before, .number = entry->number, .entry = entry});
    }
}

void PendingObjects::dequeue(Entries::iterator entry) {
    const Pending& pending = entry->pending;
    if (entry->is_ready) {
        ready_[static_cast<std::size_t>(pending.priority)].erase(
            {.time = pending.first_seen, .number = entry->number, .entry = entry});
    } else {
        delayed_.erase({.time = pending.not_before, .number = entry->number, .entry = entry});
    }
}

// Its age is already among ages_.
void PendingObjects::add(Pending&& pending, BootTime floor, BootTime now) {
    const auto entry = entries_.insert(
        entries_.end(),
        Waiting{.pending = std::move(pending), .number = ++numbers_, .floor = floor});
    if (const auto& object = entry->pending.activity.object; has_handle(object)) {
        by_object_.emplace(object, entry);
    }
    enqueue(entry, now);
}

void PendingObjects::forget_age(BootTime first_seen) {
    if (const auto at = ages_.find(first_seen); at != ages_.end()) {
        ages_.erase(at);
    }
}

void PendingObjects::wake_due(BootTime now) {
    while (!delayed_.empty() && delayed_.begin()->time <= now) {
        const auto entry = delayed_.begin()->entry;
        dequeue(entry);
        enqueue(entry, now);
    }
}

std::optional<PendingObjects::Entries::iterator> PendingObjects::choose() {
    const bool oldest_first = (pops_ + 1) % kOldestEvery == 0;
    const std::set<Rank>* chosen = nullptr;
    for (const auto& set : ready_) {
        if (set.empty() || (chosen != nullptr && !oldest_first)) {
            continue;
        }
        if (chosen == nullptr || *set.begin() < *chosen->begin()) {
            chosen = &set;
        }
    }
    if (chosen == nullptr) {
        return std::nullopt;
    }
    ++pops_;
    return chosen->begin()->entry;
}

std::optional<Pending> PendingObjects::take(BootTime now) {
    wake_due(now);
    const auto chosen = choose();
    if (!chosen) {
        return std::nullopt;
    }
    const auto entry = *chosen;
    dequeue(entry);
    Pending pending = std::move(entry->pending);
    if (const auto& object = pending.activity.object; has_handle(object)) {
        by_object_.erase(object);
        in_flight_.emplace(object, InFlight{.first_seen = pending.first_seen, .again = {}});
    } else {
        anonymous_in_flight_.insert(pending.first_seen);
    }
    entries_.erase(entry);
    return pending;
}

Pushed PendingObjects::push(FileActivity&& activity, Priority priority, BootTime now) {
    if (has_handle(activity.object)) {
        if (const auto found = in_flight_.find(activity.object); found != in_flight_.end()) {
            return push_again(found->second, std::move(activity), priority, now);
        }
        if (const auto found = by_object_.find(activity.object); found != by_object_.end()) {
            const auto entry = found->second;
            dequeue(entry);
            merge(entry->pending, std::move(activity), priority);
            if (priority == Priority::ExecPermission) {
                entry->floor = {};
            }
            enqueue(entry, now);
            return Pushed::Merged;
        }
    }
    if (is_full(activity.object)) {
        return Pushed::Full;
    }
    ages_.insert(now);
    add({.activity = std::move(activity), .priority = priority, .first_seen = now}, {}, now);
    return Pushed::Added;
}

Pushed PendingObjects::push_again(InFlight& examined,
                                  FileActivity&& activity,
                                  Priority priority,
                                  BootTime now) {
    if (priority == Priority::ExecPermission) {
        examined.floor = {};
    }
    if (examined.again) {
        merge(*examined.again, std::move(activity), priority);
        return Pushed::Merged;
    }
    examined.again =
        Pending{.activity = std::move(activity), .priority = priority, .first_seen = now};
    ages_.insert(now);
    ++again_;
    return Pushed::Added;
}

void PendingObjects::done(const ObjectId& object, BootTime now) {
    if (!has_handle(object)) {
        // Which one it was is not said. Lanes end about in the order in which they began.
        if (!anonymous_in_flight_.empty()) {
            forget_age(*anonymous_in_flight_.begin());
            anonymous_in_flight_.erase(anonymous_in_flight_.begin());
        }
        return;
    }
    auto examined = in_flight_.extract(object);
    if (examined.empty()) {
        return;
    }
    forget_age(examined.mapped().first_seen);
    if (auto& later = examined.mapped().again) {
        --again_;
        add(*std::move(later), examined.mapped().floor, now);
    }
}

Pushed PendingObjects::retry(Pending&& pending, std::chrono::milliseconds delay, BootTime now) {
    const BootTime floor = now + delay;
    const ObjectId object = pending.activity.object;
    if (has_handle(object)) {
        if (const auto examined = in_flight_.find(object); examined != in_flight_.end()) {
            return retry_examined(examined->second, std::move(pending), floor);
        }
        if (const auto waiting = by_object_.find(object); waiting != by_object_.end()) {
            merge_under(waiting->second, std::move(pending), floor, now);
            return Pushed::Merged;
        }
    }
    const bool is_examined = !has_handle(object) && !anonymous_in_flight_.empty();
    if (!is_examined && is_full(object)) {
        return Pushed::Full;
    }
    ages_.insert(pending.first_seen);
    add(std::move(pending), floor, now);
    return Pushed::Added;
}

Pushed PendingObjects::retry_examined(InFlight& examined, Pending&& pending, BootTime floor) {
    const bool had = examined.again.has_value();
    if (had) {
        floor = examined.again->priority == Priority::ExecPermission ? BootTime{} : floor;
        forget_age(examined.again->first_seen);
        merge(pending, *std::move(examined.again));
    } else {
        ++again_;
    }
    ages_.insert(pending.first_seen);
    examined.again = std::move(pending);
    examined.floor = floor;
    return had ? Pushed::Merged : Pushed::Added;
}

// What waits is newer than `earlier`.
void PendingObjects::merge_under(Entries::iterator entry,
                                 Pending&& earlier,
                                 BootTime floor,
                                 BootTime now) {
    dequeue(entry);
    forget_age(entry->pending.first_seen);
    merge(earlier, std::move(entry->pending));
    ages_.insert(earlier.first_seen);
    entry->pending = std::move(earlier);
    entry->floor = std::max(entry->floor, floor);
    enqueue(entry, now);
}

}  // namespace vigia::scan
