// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel side tells, by policy and by the level of overload, and how hard it has to work.
#include <algorithm>

#include "daemon/kernel_monitor.h"

namespace vigia::daemon {
namespace {

using sensors::EventClasses;
using sensors::KernelSensor;
using enum sensors::EventClass;

constexpr std::uint32_t kArgumentBytes = 1024;

// What the kernel still tells. Without the forks a parent that never executed anything is asked of
// /proc; without the ends a number's next use tells of them, and what is left is put right when the
// level falls (end_missing).
EventClasses admitted_at(unsigned level) {
    if (level == 0) {
        return EventClasses::all();
    }
    EventClasses admitted{Exec, Connect, Owner, Block};
    if (level == 1) {
        admitted |= {Exit};
    }
    return admitted;
}

}  // namespace

void KernelMonitor::set_level(unsigned level) {
    {
        const std::scoped_lock lock(mutex_);
        level_ = level;
    }
    refresh();
}

KernelSensor::Load KernelMonitor::load() const {
    std::shared_ptr<KernelSensor> sensor;
    KernelSensor::Load load;
    {
        const std::scoped_lock lock(mutex_);
        sensor = rungs_.sensor;
        load = load_before_;
    }
    if (sensor) {
        const auto now = sensor->load();
        load.ring_fill = now.ring_fill;
        load.offered += now.offered;
        load.delivered += now.delivered;
        load.lost += now.lost;
    }
    return load;
}

// After a time in which the ends of processes were not told: who has ended meanwhile.
void KernelMonitor::follow_level() {
    unsigned level = 0;
    {
        const std::scoped_lock lock(mutex_);
        level = level_;
    }
    const auto before = std::exchange(level_in_force_, level);
    const auto sensor = rungs_.sensor;
    if (level >= before || !sensor || !rungs_.processes.starts_with("ebpf")) {
        return;
    }
    const auto taken = Clock::boot();
    if (const auto processes = sensor->processes(); processes && !processes->empty()) {
        tree_.seed(*processes);
        tree_.end_missing(*processes, taken);
    }
}

sensors::KernelSettings KernelMonitor::settings_of(const Policy& policy) const {
    sensors::KernelSettings settings{
        .wanted = {},
        .argument_bytes = policy.processes.capture_command_line ? kArgumentBytes : 0U,
        .kill_memory_files = policy.processes.memfd_execute == MemfdExecute::Kill,
        .block_mode = policy.network.mode == NetworkMode::Block ? sensors::BlockMode::Block
                                                                : sensors::BlockMode::Audit};
    const auto& kept = policy.network.events;
    const bool opens = std::ranges::find(kept, NetworkTelemetry::Open) != kept.end();
    const bool closes = std::ranges::find(kept, NetworkTelemetry::Close) != kept.end();
    settings.wanted |= {Block};
    if (policy.processes.monitor) {
        settings.wanted |= {Exec, Fork, Exit};
    }
    if (opens) {
        settings.wanted |= {Connect, Accept};
    }
    if (closes) {
        settings.wanted |= {Close};
    }
    if (opens || closes) {
        settings.wanted |= {Udp};
    }
    if (!policy.network.loopback) {
        settings.no_loopback = {Connect, Accept, Close, Udp};
    }
    const std::scoped_lock lock(mutex_);
    settings.admitted = admitted_at(level_);
    if (level_ > 0) {
        settings.quiet_loopback = {Connect, Accept, Close, Udp};
    }
    return settings;
}

}  // namespace vigia::daemon
