// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <utility>

#include "model/status.h"

namespace vigia::daemon {

// The overall state and why, from what the parts report (docs/OPERATIONS.md). Pure.
[[nodiscard]] std::pair<std::string, std::string> overall_state(const Status& status);

}  // namespace vigia::daemon
