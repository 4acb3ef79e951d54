// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <mutex>

namespace vigia::scan::detail {

// Counts the callers inside a service: its destructor waits for them, so that none wakes up in
// freed memory. Thread-safe.
class Gate {
public:
    class Pass {
    public:
        explicit Pass(Gate& gate) : gate_(gate) {
            const std::scoped_lock lock(gate_.mutex_);
            ++gate_.inside_;
        }

        Pass(const Pass&) = delete;
        Pass& operator=(const Pass&) = delete;

        ~Pass() {
            const std::scoped_lock lock(gate_.mutex_);
            --gate_.inside_;
            gate_.left_.notify_all();
        }

    private:
        Gate& gate_;
    };

    void wait_until_empty() {
        std::unique_lock lock(mutex_);
        left_.wait(lock, [this] { return inside_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable left_;
    unsigned inside_ = 0;  // guarded by mutex_
};

}  // namespace vigia::scan::detail
