// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace vigia {

// Many writers, many readers, at most `capacity` items. A full queue refuses (false): the caller
// counts and defers, nothing is dropped in here. Thread-safe.
template <typename T>
class BoundedQueue {
public:
    explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

    [[nodiscard]] bool try_push(T item) {
        {
            const std::scoped_lock lock(mutex_);
            if (closed_ || items_.size() >= capacity_) {
                return false;
            }
            items_.push_back(std::move(item));
        }
        not_empty_.notify_one();
        return true;
    }

    // Waits for room. False after the timeout or when closed; the item is then untouched.
    [[nodiscard]] bool push(T&& item, std::chrono::milliseconds timeout) {
        {
            std::unique_lock lock(mutex_);
            not_full_.wait_for(
                lock, timeout, [this] { return closed_ || items_.size() < capacity_; });
            if (closed_ || items_.size() >= capacity_) {
                return false;
            }
            items_.push_back(std::move(item));
        }
        not_empty_.notify_one();
        return true;
    }

    // Nothing after the timeout, or at once when the queue is closed and empty.
    [[nodiscard]] std::optional<T> pop(std::chrono::milliseconds timeout) {
        std::optional<T> item;
        {
            std::unique_lock lock(mutex_);
            not_empty_.wait_for(lock, timeout, [this] { return closed_ || !items_.empty(); });
            if (items_.empty()) {
                return std::nullopt;
            }
            item = std::move(items_.front());
            items_.pop_front();
        }
        not_full_.notify_one();
        return item;
    }

    // No more pushes; readers drain what is left.
    void close() {
        {
            const std::scoped_lock lock(mutex_);
            closed_ = true;
        }
        not_empty_.notify_all();
        not_full_.notify_all();
    }

    [[nodiscard]] bool closed() const {
        const std::scoped_lock lock(mutex_);
        return closed_;
    }

    [[nodiscard]] std::size_t size() const {
        const std::scoped_lock lock(mutex_);
        return items_.size();
    }

private:
    const std::size_t capacity_;
    mutable std::mutex mutex_;  // guards items_ and closed_
    std::condition_variable not_empty_;
    std::condition_variable not_full_;
    std::deque<T> items_;
    bool closed_ = false;
};

}  // namespace vigia
