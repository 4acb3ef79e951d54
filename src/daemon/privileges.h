// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace vigia::daemon {

// Gives up every capability that the daemon and its children do not need, for good (bounding set
// included). Returns the names of the needed ones that it does not hold: what they are for does not
// work then and says so itself.
[[nodiscard]] Result<std::vector<std::string>> bound_capabilities();

}  // namespace vigia::daemon
