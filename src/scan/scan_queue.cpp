// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/scan_queue.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "scan/pending_objects.h"

namespace vigia::scan {

struct ScanQueue::Impl {
    explicit Impl(Options options) : objects(options) {}

    // Does something to the objects and wakes whom it concerns.
    template <typename Change>
    auto apply(const Change& change) {
        const std::scoped_lock lock(mutex);
        const std::size_t ready = objects.ready();
        const auto due = objects.next_due();
        auto result = change();
        if (objects.ready() > ready) {
            changed.notify_one();
        }
        if (const auto now_due = objects.next_due(); now_due && (!due || *now_due < *due)) {
            changed.notify_all();  // each waits until the time it was before
        }
        return result;
    }

    mutable std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    PendingObjects objects;
    bool closed = false;
};

ScanQueue::ScanQueue(Options options) : impl_(std::make_unique<Impl>(options)) {}

ScanQueue::~ScanQueue() = default;

ScanQueue::Pushed ScanQueue::push(FileActivity activity, Priority priority, BootTime now) {
    return impl_->apply([&] {
        return impl_->closed ? Pushed::Full
                             : impl_->objects.push(std::move(activity), priority, now);
    });
}

std::optional<Pending> ScanQueue::pop(std::chrono::milliseconds timeout) {
    const BootTime deadline = BootClock::now() + timeout;
    std::unique_lock lock(impl_->mutex);
    while (!impl_->closed) {
        const BootTime now = BootClock::now();
        if (auto pending = impl_->objects.take(now)) {
            if (impl_->objects.ready() > 0) {
                impl_->changed.notify_one();  // several may have become due at one time
            }
            return pending;
        }
        if (now >= deadline) {
            return std::nullopt;
        }
        const auto until = std::min(deadline, impl_->objects.next_due().value_or(deadline));
        impl_->changed.wait_for(lock, until - now);
    }
    return std::nullopt;
}

void ScanQueue::done(const ObjectId& object) {
    impl_->apply([&] {
        impl_->objects.done(object, BootClock::now());
        return true;
    });
}

ScanQueue::Pushed ScanQueue::retry(Pending pending, std::chrono::milliseconds delay) {
    return impl_->apply([&] {
        return impl_->closed ? Pushed::Full
                             : impl_->objects.retry(std::move(pending), delay, BootClock::now());
    });
}

std::size_t ScanQueue::pending() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->objects.pending();
}

std::size_t ScanQueue::in_flight() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->objects.in_flight();
}

std::optional<BootTime> ScanQueue::oldest() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->objects.oldest();
}

void ScanQueue::close() {
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->closed = true;
    }
    impl_->changed.notify_all();
}

}  // namespace vigia::scan
