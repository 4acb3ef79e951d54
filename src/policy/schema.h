// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "model/policy.h"
#include "policy/context.h"
#include "policy/tree.h"

// Every option of a policy, once: what docs/POLICY.md describes.
namespace vigia::policy {

// Reads what is good into `policy` and tells of every mistake, combinations included.
void read_policy(const Node& document, Problems& problems, Policy& policy);

// The whole policy with the sections and keys of the file, all options said.
[[nodiscard]] Node write_policy(const Policy& policy);

}  // namespace vigia::policy
