// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sensors/fanotify/accounts.h"
#include "sensors/fanotify/event_handler.h"
#include "sensors/fanotify/shared.h"
#include "wire/fanotify_records.h"

namespace vigia::sensors {

// Reads fanotify groups and handles what they tell. run() is the body of a thread.
class Reader {
public:
    enum class Mode : std::uint8_t { Handle, Descriptor };

    struct Source {
        UniqueFd group;
        Mode mode = Mode::Handle;
    };

    // `name`: for people, in errors. Error: no eventfd.
    [[nodiscard]] static Result<std::unique_ptr<Reader>> create(std::string name,
                                                                std::shared_ptr<Shared> shared,
                                                                std::vector<Source> sources);

    // Until a stop is requested; then returns within milliseconds unless the kernel holds it.
    void run(const std::stop_token& stop);

    // Makes run() call `task` soon, on its thread. Thread-safe.
    void wake() const;

    // Before run() only.
    void set_task(std::function<void()> task) { task_ = std::move(task); }

private:
    struct Feed {
        Source source;
        BootTime due{};          // not looked at before
        bool gathering = false;  // has events; waits for more of them to come and merge
        // What is read from now on happened after `horizon`: what the queue held at `looked_at`
        // will have been read when `left` bytes more have been.
        BootTime horizon{};
        BootTime looked_at{};
        std::int64_t left = 0;
    };

    Reader(std::string name, std::shared_ptr<Shared> shared, UniqueFd wake);

    void wait(std::vector<bool>& ready);
    void drain(Feed& feed, const std::stop_token& stop);
    void drain_descriptors(Feed& feed, const std::stop_token& stop);
    static void move_horizon(Feed& feed);
    void handle_batch(std::span<const std::byte> bytes,
                      BootTime after,
                      const std::stop_token& stop);
    void note_failed_read(Feed& feed, int error);
    void note_failed_open(Feed& feed, int error);
    void count(const wire::FanotifyRecord& record, BootTime at, Tally& tally);

    std::string name_;
    std::shared_ptr<Shared> shared_;
    UniqueFd wake_;
    std::vector<Feed> feeds_;
    std::function<void()> task_;
    EventHandler handler_;
    std::vector<std::byte> buffer_;
    bool failed_ = false;
};

}  // namespace vigia::sensors
