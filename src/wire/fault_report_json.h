// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/fault.h"

namespace vigia::wire {

// One fault as part of a larger document (status, doctor).
[[nodiscard]] nlohmann::ordered_json fault_report_json(const FaultReport& report);

}  // namespace vigia::wire
