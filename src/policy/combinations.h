// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "model/policy.h"
#include "policy/context.h"
#include "policy/tree.h"

namespace vigia::policy {

// Options that are right one by one and cannot hold together: contradicting lists, things said
// twice, a wish that takes away its own ground. `policy` holds what could be read of `document`.
void check_combinations(const Node& document, const Context& context, const Policy& policy);

}  // namespace vigia::policy
