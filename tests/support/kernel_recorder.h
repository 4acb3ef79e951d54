// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sensors/ebpf/kernel_sensor.h"

namespace vigia::test {

// Remembers what a KernelSensor tells. Thread-safe.
class KernelRecorder {
public:
    [[nodiscard]] sensors::KernelSensor::Observer observer() {
        return {.on_process =
                    [this](ProcessEvent&& event) {
                        const std::scoped_lock lock(mutex_);
                        processes_.push_back(std::move(event));
                    },
                .on_flow =
                    [this](FlowEvent&& event) {
                        const std::scoped_lock lock(mutex_);
                        flows_.push_back(std::move(event));
                    }};
    }

    template <typename Event>
    [[nodiscard]] std::vector<Event> processes(const std::function<bool(const Event&)>& wanted) {
        const std::scoped_lock lock(mutex_);
        std::vector<Event> found;
        for (const auto& event : processes_) {
            const auto* one = std::get_if<Event>(&event);
            if (one != nullptr && wanted(*one)) {
                found.push_back(*one);
            }
        }
        return found;
    }

    [[nodiscard]] std::vector<FlowEvent> flows(
        const std::function<bool(const FlowEvent&)>& wanted) {
        const std::scoped_lock lock(mutex_);
        std::vector<FlowEvent> found;
        for (const auto& flow : flows_) {
            if (wanted(flow)) {
                found.push_back(flow);
            }
        }
        return found;
    }

    // While it is held the sensor's thread stands still at the next event.
    [[nodiscard]] std::unique_lock<std::mutex> hold() { return std::unique_lock(mutex_); }

    void forget() {
        const std::scoped_lock lock(mutex_);
        processes_.clear();
        flows_.clear();
    }

private:
    std::mutex mutex_;  // guards both
    std::vector<ProcessEvent> processes_;
    std::vector<FlowEvent> flows_;
};

// offered == delivered + filtered + lost for every class; call it when nothing is under way.
inline std::string imbalance_of(const sensors::KernelSensor::State& state) {
    std::string wrong;
    for (const auto& one : state.counters) {
        auto sum = one.delivered + one.lost;
        for (const auto& [reason, count] : one.filtered) {
            sum += count;
        }
        if (sum != one.offered) {
            wrong += std::string(one.event_class) + ": offered " + std::to_string(one.offered) +
                     ", accounted for " + std::to_string(sum) + "; ";
        }
    }
    return wrong;
}

}  // namespace vigia::test
