// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"

namespace vigia {

// sd-event on the thread that calls run(). All methods but post() and stop() belong to that thread.
// Callbacks must not block: whatever touches foreign files or waits for a child runs elsewhere.
class EventLoop {
public:
    // Keeps a source alive; destroying it ends the callbacks. Must not outlive the loop.
    class Source;
    using SourcePtr = std::unique_ptr<Source>;

    [[nodiscard]] static Result<std::unique_ptr<EventLoop>> create();

    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    ~EventLoop();

    // `events` are EPOLLIN and the like; the callback gets those that happened.
    [[nodiscard]] Result<SourcePtr> on_io(int fd,
                                          std::uint32_t events,
                                          std::function<void(std::uint32_t)> callback);

    // First after `interval`, then every `interval`, by the boot-time clock.
    [[nodiscard]] Result<SourcePtr> every(std::chrono::milliseconds interval,
                                          std::function<void()> callback);

    [[nodiscard]] Result<SourcePtr> after(std::chrono::milliseconds delay,
                                          std::function<void()> callback);

    // The signal must be blocked in every thread; done here for the calling one.
    [[nodiscard]] Result<SourcePtr> on_signal(int signal, std::function<void()> callback);

    // From any thread: runs `task` on the loop thread soon. False once the loop has stopped or when
    // 65,536 tasks wait already.
    bool post(std::function<void()> task);

    // Until stop(). Returns its code.
    Result<int> run();

    // From any thread.
    void stop(int code);

private:
    EventLoop();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

class EventLoop::Source {
public:
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source();

private:
    friend class EventLoop;
    struct Impl;
    explicit Source(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace vigia
