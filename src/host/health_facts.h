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

// Faults 11, 16, 19 and 107, with remedies for this host. `facts.wanted` must be filled in: only
// what is wanted is asked of the kernel.
void describe_kernel(const HostFacts& host, Facts& facts);
void describe_selinux(const HostFacts& host, Facts& facts);
void describe_other_scanners(const HostFacts& host, Facts& facts);

}  // namespace vigia::host
