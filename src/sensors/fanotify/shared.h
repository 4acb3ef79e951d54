// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "sensors/fanotify/accounts.h"
#include "sensors/fanotify/file_sensor.h"
#include "sensors/fanotify/watch_map.h"

namespace vigia::sensors {

// What the threads of the sensor share. Thread-safe. It outlives the sensor if a reader of a
// network file system hangs in the kernel; close() then keeps that reader away from the observer.
class Shared {
public:
    explicit Shared(FileSensor::Observer observer) : observer_(std::move(observer)) {}

    [[nodiscard]] std::shared_ptr<const WatchMap> map() const {
        const std::scoped_lock lock(map_mutex_);
        return map_;
    }

    void set_map(std::shared_ptr<const WatchMap> map) {
        const std::scoped_lock lock(map_mutex_);
        map_ = std::move(map);
    }

    void deliver(FileActivity&& activity) {
        const std::scoped_lock lock(observer_mutex_);
        if (open_ && observer_.on_activity) {
            observer_.on_activity(std::move(activity));
        }
    }

    void overflowed(BootTime at) {
        const std::scoped_lock lock(observer_mutex_);
        if (open_ && observer_.on_overflow) {
            observer_.on_overflow(at);
        }
    }

    // After it returns the observer is not called any more.
    void close() {
        const std::scoped_lock lock(observer_mutex_);
        open_ = false;
    }

    [[nodiscard]] Accounts& accounts() { return accounts_; }

    [[nodiscard]] const Accounts& accounts() const { return accounts_; }

private:
    mutable std::mutex map_mutex_;  // guards map_
    std::shared_ptr<const WatchMap> map_ = std::make_shared<WatchMap>();
    std::mutex observer_mutex_;  // held during the calls: the observer sees one at a time
    bool open_ = true;
    FileSensor::Observer observer_;
    Accounts accounts_;
};

}  // namespace vigia::sensors
