// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>

#include "base/clock.h"
#include "model/flow.h"

namespace vigia::sensors {

inline constexpr std::chrono::seconds kUdpIdle{60};

// Ends the UDP flows that were idle for kUdpIdle, and those that a closed socket left (more than 64
// peers): takes them out of the kernel's table (`flows`) and tells `on_end`. At most 65,536.
void end_idle_udp(int flows, BootTime now, const std::function<void(FlowEvent&&)>& on_end);

}  // namespace vigia::sensors
