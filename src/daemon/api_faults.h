// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "control/control_server.h"
#include "daemon/components.h"
#include "model/fault.h"

// The fault side of the control API (docs/API.md).
namespace vigia::daemon {

// What is raised, by id. Callers who may not see everything get no evidence and no commands: both
// name paths and programs.
[[nodiscard]] std::vector<FaultReport> raised_faults(const std::vector<Episode>& open,
                                                     bool full,
                                                     Language language);

[[nodiscard]] control::Response get_faults(Components& parts, const control::Request& request);
[[nodiscard]] control::Response get_history(Components& parts, const control::Request& request);

// /v1/faults/REST: GET ID, POST ID/fix.
[[nodiscard]] control::Response fault_by_id(Components& parts,
                                            const control::Request& request,
                                            const std::string& rest);

}  // namespace vigia::daemon
