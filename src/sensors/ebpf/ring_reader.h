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

#include "base/result.h"
#include "base/unique_fd.h"

struct ring_buffer;

namespace vigia::sensors {

// Reads the kernel's rings on a thread of its own.
class RingReader {
public:
    using OnRecord = std::function<void(std::span<const std::byte>)>;

    // `rings`: descriptors of ring-buffer maps, which outlive this. `on_tick`: called on the same
    // thread every `period`.
    [[nodiscard]] static Result<std::unique_ptr<RingReader>> start(
        std::span<const int> rings,
        OnRecord on_record,
        std::function<void()> on_tick,
        std::chrono::milliseconds period);

    RingReader(const RingReader&) = delete;
    RingReader& operator=(const RingReader&) = delete;
    ~RingReader();

    // See KernelSensor::drain.
    [[nodiscard]] Result<> drain(std::chrono::milliseconds timeout);

private:
    struct RingsDeleter {
        void operator()(ring_buffer* rings) const noexcept;
    };

    RingReader(OnRecord on_record, std::function<void()> on_tick, std::chrono::milliseconds period);

    static int on_sample(void* self, void* data, std::size_t size);
    void run();

    OnRecord on_record_;
    std::function<void()> on_tick_;
    std::chrono::milliseconds period_;
    std::unique_ptr<ring_buffer, RingsDeleter> rings_;
    UniqueFd wake_;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;  // guards the two below
    std::uint64_t asked_ = 0;
    std::uint64_t done_ = 0;
    std::condition_variable drained_;
    std::thread thread_;
};

}  // namespace vigia::sensors
