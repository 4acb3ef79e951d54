// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "daemon/reporter.h"
#include "sinks/sink.h"

namespace vigia::daemon {

// Takes events from the journal to one sink, in order; tries again while the sink cannot take them.
// A thread of its own, so that a slow disk under the log holds up nothing else.
class SinkPump {
public:
    struct Opened {
        std::unique_ptr<sinks::Sink> sink;
        std::uint64_t position = 0;    // the last event that it has
        std::uint64_t torn_bytes = 0;  // cut from its end
    };

    struct Options {
        std::string name;  // its position is kept under it: "jsonl", "journald"
        // Opens the sink for the journal of this epoch; `acknowledged` is what it had taken when
        // the daemon ended. Called again after each failure.
        std::function<Result<Opened>(const std::string& epoch, std::uint64_t acknowledged)> open;
    };

    SinkPump(Reporter& reporter, Options options);
    SinkPump(const SinkPump&) = delete;
    SinkPump& operator=(const SinkPump&) = delete;
    ~SinkPump();

    void start();

    struct State {
        std::uint64_t delivered = 0;  // sequence
        std::uint64_t waiting = 0;
        std::string error;                        // empty: fine
        int error_number = 0;                     // errno-like, 0: fine
        std::uint64_t torn_bytes = 0;             // cut from the file at start
        std::optional<BootTime> renewed_at = {};  // the file was taken away and begun anew
    };

    [[nodiscard]] State state() const;

private:
    void run(const std::stop_token& stop);
    Result<> open_sink();
    Result<bool> deliver_some();
    void say(const Error* error);

    Reporter& reporter_;
    const Options options_;
    std::unique_ptr<sinks::Sink> sink_;  // only the thread's
    std::string epoch_;                  // only the thread's
    mutable std::mutex mutex_;           // guards all below but the thread
    std::uint64_t position_ = 0;
    std::string error_;
    int error_number_ = 0;
    std::optional<BootTime> renewed_at_;
    std::uint64_t torn_bytes_ = 0;
    std::jthread thread_;
};

}  // namespace vigia::daemon
