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

    // How full the fullest ring was at any time that we looked since the last call, 0 to 1. Any
    // thread.
    [[nodiscard]] double take_peak();

private:
    // The kernel's two positions of one ring, which grow for ever.
    class Gauge {
    public:
        [[nodiscard]] static Result<Gauge> open(int ring);
        Gauge(Gauge&& other) noexcept;
        Gauge& operator=(Gauge&&) = delete;
        Gauge(const Gauge&) = delete;
        Gauge& operator=(const Gauge&) = delete;
        ~Gauge();

        [[nodiscard]] double fill() const;

    private:
        Gauge() = default;

        const unsigned long* consumed_ = nullptr;
        const unsigned long* produced_ = nullptr;
        std::uint64_t size_ = 1;
    };

    void note_fill();

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
    std::vector<Gauge> gauges_;
    std::atomic<double> peak_ = 0;
    unsigned samples_ = 0;  // the reader's
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
