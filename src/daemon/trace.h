// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "model/file_identity.h"

namespace vigia::daemon {

// The stages that every object passes.
enum class Stage : std::uint8_t { Event, Queue, Verdict, Journal };

inline constexpr std::size_t kStages = 4;

// Follows one object through the pipeline, for the self-test: the pipeline marks every object at
// every stage, and here it is compared with the one that is waited for. Nobody else can tell a
// canary from a file (hard-parts 19). Thread-safe.
class Trace {
public:
    using Times = std::array<std::optional<BootTime>, kStages>;

    void follow(const ObjectId& object) {
        const std::scoped_lock lock(mutex_);
        object_ = object;
        times_ = {};
        armed_ = true;
    }

    void mark(const ObjectId& object, Stage stage) {
        if (!armed_) {
            return;
        }
        {
            const std::scoped_lock lock(mutex_);
            auto& time = times_.at(static_cast<std::size_t>(stage));
            if (object != object_ || time) {
                return;
            }
            time = BootClock::now();
        }
        reached_.notify_all();
    }

    // Until the last stage has been reached or the deadline; then nothing is followed any more.
    Times wait(std::chrono::milliseconds timeout) {
        std::unique_lock lock(mutex_);
        reached_.wait_for(lock, timeout, [this] { return times_.back().has_value(); });
        armed_ = false;
        return times_;
    }

private:
    std::atomic<bool> armed_ = false;
    std::mutex mutex_;  // guards all below
    std::condition_variable reached_;
    ObjectId object_;
    Times times_;
};

}  // namespace vigia::daemon
