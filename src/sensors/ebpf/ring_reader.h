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
#include "sensors/ebpf/record_source.h"

namespace vigia::sensors {

// Reads what the kernel side hands over on a thread of its own.
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
        // quarter (vigia_wake_up() of bpf/) ends it. Perf buffers cannot say how full they are:
        // there it is kPerfGather at most. 0: read at once.
        std::chrono::milliseconds gather{0};
    };

    static constexpr std::chrono::milliseconds kPerfGather{20};

    [[nodiscard]] static Result<std::unique_ptr<RingReader>> start(
        std::unique_ptr<RecordSource> source, Calls calls, Pace pace);

    RingReader(const RingReader&) = delete;
    RingReader& operator=(const RingReader&) = delete;
    ~RingReader();

    // See KernelSensor::drain.
    [[nodiscard]] Result<> drain(std::chrono::milliseconds timeout);

    [[nodiscard]] const RecordSource& source() const { return *source_; }

    // How full the fullest buffer was at any time that we looked since the last call, 0 to 1. Any
    // thread.
    [[nodiscard]] double take_peak();

private:
    RingReader(std::unique_ptr<RecordSource> source, Calls calls, Pace pace)
        : source_(std::move(source)), calls_(std::move(calls)), pace_(pace) {}

    void note_fill();

    [[nodiscard]] bool watch_source(int operation) const;
    [[nodiscard]] bool wait(std::chrono::milliseconds patience) const;
    void gather() const;
    [[nodiscard]] bool read(bool all);
    void run();

    const std::unique_ptr<RecordSource> source_;

    const Calls calls_;
    const Pace pace_;
    std::atomic<double> peak_ = 0;
    unsigned records_ = 0;  // the reader's
    UniqueFd wake_;
    UniqueFd events_;  // epoll of the source, edge-triggered, and of wake_
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;  // guards the two below
    std::uint64_t asked_ = 0;
    std::uint64_t done_ = 0;
    std::condition_variable drained_;
    std::thread thread_;
};

}  // namespace vigia::sensors
