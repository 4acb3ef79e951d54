// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "model/flow.h"
#include "model/process.h"
#include "sensors/ebpf/kernel_sensor.h"
#include "sensors/fallback/exclusions.h"
#include "sensors/fallback/sock_diag.h"

namespace vigia::sensors {

// Processes and flows by looking at /proc and at the kernel's list of sockets once a second: the
// same events as KernelSensor, for hosts that do not let our programs into the kernel. Not seen are
// processes and connections that end between two looks, how a process ended, UDP without connect()
// and its bytes, and the sockets of other network namespaces. One thread of its own.
class PollingSensor {
public:
    struct Options {
        bool processes = true;
        bool network = true;
        std::chrono::milliseconds every{1000};
    };

    // Begins to look. What exists already is told of by snapshot() only.
    PollingSensor(const Options& options, KernelSensor::Observer observer);
    PollingSensor(const PollingSensor&) = delete;
    PollingSensor& operator=(const PollingSensor&) = delete;
    ~PollingSensor();

    // What existed at the first look.
    [[nodiscard]] const std::vector<ProcessInfo>& snapshot() const noexcept { return snapshot_; }

    // From the next look on. Whoever runs such a file, and with `children` what it starts, is left
    // out and counted. Any thread.
    void set_excluded_programs(std::vector<KernelSensor::ProgramExclusion> programs);

    struct State {
        std::array<std::uint64_t, kEventClassNames.size()> told{};      // by class
        std::array<std::uint64_t, kEventClassNames.size()> excluded{};  // left out
        std::string error = {};  // of the list of sockets; empty: it works
    };

    [[nodiscard]] State state() const;

private:
    struct KnownSocket {
        FlowEvent flow;
        std::uint64_t look = 0;  // when it was last seen
        bool excluded = false;
    };

    void look();
    [[nodiscard]] std::map<pid_t, ProcessInfo> running() const;
    void look_at_processes(BootTime now);
    void tell_ends(const std::map<pid_t, ProcessInfo>& before,
                   const Exclusions& exclusions_before,
                   BootTime now);
    void tell_begins(const std::map<pid_t, ProcessInfo>& before, BootTime now);
    void look_at_sockets(BootTime now);
    void end_sockets(BootTime now);
    void begin_socket(const DiagSocket& socket, pid_t holder, bool incoming);
    void tell(EventClass event_class, FlowEvent flow, bool excluded);
    void count(EventClass event_class, bool excluded);
    void judge_holders();
    void take_programs();
    void run(const std::stop_token& stop);

    const Options options_;
    const KernelSensor::Observer observer_;
    std::vector<ProcessInfo> snapshot_;
    std::uint64_t looks_ = 0;  // the thread's own, as the three below
    std::map<pid_t, ProcessInfo> processes_;
    std::map<std::uint64_t, KnownSocket> sockets_;  // by cookie
    Exclusions exclusions_;
    mutable std::mutex mutex_;  // guards the two below
    State state_;
    std::optional<std::vector<KernelSensor::ProgramExclusion>> programs_;  // new ones
    std::jthread thread_;
};

}  // namespace vigia::sensors
