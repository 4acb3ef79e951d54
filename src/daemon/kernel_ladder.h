// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "sensors/ebpf/kernel_sensor.h"
#include "sensors/fallback/polling_sensor.h"

namespace vigia::daemon {

// What watches processes and flows: the best that this kernel lets us, found by trying. Kernel
// programs with its own description of its types, then with one derived from its headers, then
// looking at /proc and the list of sockets. A half that cannot be had does not take the other
// along.
struct KernelRungs {
    std::shared_ptr<sensors::KernelSensor> sensor = {};
    std::shared_ptr<sensors::PollingSensor> polling = {};
    std::string processes = {};  // backend: ebpf-btf, ebpf-derived, proc; empty: none
    std::string network = {};
    // Why it is not the kernel's programs.
    std::optional<sensors::LoadFailure> processes_failure = {};
    std::optional<sensors::LoadFailure> network_failure = {};
    std::string derive_error = {};  // why no types could be derived
};

struct KernelWish {
    bool processes = true;
    bool network = true;
    sensors::KernelSettings settings = {};
    std::filesystem::path cache = {};  // folder for derived types
};

// The kernel's programs only. Blocks for seconds, minutes where types are derived for the first
// time.
[[nodiscard]] KernelRungs climb(const KernelWish& wish,
                                const sensors::KernelSensor::Observer& observer);

// What `rungs` lacks of the wish is found out by looking.
void look_instead(KernelRungs& rungs,
                  const KernelWish& wish,
                  const sensors::KernelSensor::Observer& observer);

}  // namespace vigia::daemon
