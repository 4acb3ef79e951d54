// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "health/fault.h"

namespace vigia::health {

// The stable word of a repair.
[[nodiscard]] std::string_view name_of(Heal action);

// What it does, for people.
[[nodiscard]] Text describe(Heal action);

}  // namespace vigia::health
