// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "model/facts.h"
#include "model/host_facts.h"

// From what a machine is to what the fault engine looks at: no thresholds and no judgement beyond
// what host/ itself states, so that the daemon and `vigia doctor` come to the same faults. Pure.
namespace vigia::host {

// Fault 5: account, modes, and the exact commands for this host. What only a running service knows
// (running_as, errors of attempts) stays as it is.
void describe_scan_user(const HostFacts& host, Facts& facts);

}  // namespace vigia::host
