// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "daemon/kernel_monitor.h"
#include "model/facts.h"
#include "model/status.h"

// What the monitor of processes and flows says of itself, in the words of the status and of the
// fault engine. Pure.
namespace vigia::daemon {

// "processes" and "network".
[[nodiscard]] std::vector<MonitorStatus> monitors_of(const KernelMonitor::State& state,
                                                     const Policy& policy);

// exec, fork, exit, connect, accept, close, udp, owner, block.
[[nodiscard]] std::vector<Accounting> accounting_of(const KernelMonitor::State& state);

// Fills in `programs`, and corrects what was concluded of the kernel by what really happened.
void describe_programs(const KernelMonitor::State& state, Facts& facts);

}  // namespace vigia::daemon
