// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

struct ring_buffer;

namespace vigia::sensors {

// Reads the kernel's rings on a thread of its own.
class RingReader {
public:
    // All are called on the reader's thread.
    struct Calls {
        std::function<void(std::span<const std::byte>)> on_record;
        std::function<void()> on_batch_end;  // the rings were empty a moment ago
        std::function<void()> on_tick;
    };

    struct Pace {
        std::chrono::milliseconds tick;
        // After the first record of a batch, so long for others to come; a ring that fills to a
        // quarter (vigia_send() of bpf/) ends it. 0: read at once.
        std::chrono::milliseconds gather{0};
    };

    // `rings`: descriptors of ring-buffer maps, which outlive this; read in this order.
    [[nodiscard]] static Result<std::unique_ptr<RingReader>> start(std::span<const int> rings,
                                                                   Calls calls,
                                                                   Pace pace);

    RingReader(const RingReader&) = delete;
    RingReader& operator=(const RingReader&) = delete;
    ~RingReader();

    // See KernelSensor::drain.
    [[nodiscard]] Result<> drain(std::chrono::milliseconds timeout);

private:
    struct RingsDeleter {
        void operator()(ring_buffer* rings) const noexcept;
    };

    RingReader(Calls calls, Pace pace) : calls_(std::move(calls)), pace_(pace) {}

    [[nodiscard]] bool watch_rings(int operation) const;
    [[nodiscard]] bool wait(std::chrono::milliseconds patience) const;

    static int on_sample(void* self, void* data, std::size_t size);
    void run();

    const Calls calls_;
    const Pace pace_;
    std::unique_ptr<ring_buffer, RingsDeleter> rings_;
    UniqueFd wake_;
    std::vector<int> watched_;
    UniqueFd events_;  // epoll of the rings, edge-triggered, and of wake_
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;  // guards the two below
    std::uint64_t asked_ = 0;
    std::uint64_t done_ = 0;
    std::condition_variable drained_;
    std::thread thread_;
};

}  // namespace vigia::sensors
