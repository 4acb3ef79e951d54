// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "control/control_server.h"
#include "daemon/components.h"

// Who costs what, and the exclusions (docs/API.md).
namespace vigia::daemon {

[[nodiscard]] control::Response get_top(Components& parts, const control::Request& request);

// The rules with what they have left out; whether a path or a program is; what would help.
[[nodiscard]] control::Response get_exclusions(Components& parts, const control::Request& request);
[[nodiscard]] control::Response test_exclusions(Components& parts, const control::Request& request);
[[nodiscard]] control::Response suggest_exclusions(Components& parts,
                                                   const control::Request& request);

// Change the policy file; back when it is in force.
[[nodiscard]] control::Response post_exclusion(Components& parts, const control::Request& request);
[[nodiscard]] control::Response delete_exclusion(Components& parts,
                                                 const control::Request& request);

}  // namespace vigia::daemon
