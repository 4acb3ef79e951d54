// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>

#include "health/fault.h"

namespace vigia::health {

// Every fault of this build, ordered by id. That each is whole (both languages, the same
// placeholders, ids and causes once) is proved when it is compiled.
[[nodiscard]] std::span<const Fault* const> catalogue();

// nullptr: there is none.
[[nodiscard]] const Fault* find_fault(int id);
[[nodiscard]] const Fault* find_fault(std::string_view key);
// What people name it by: its number or its key.
[[nodiscard]] const Fault* fault_named(std::string_view name);
[[nodiscard]] const Cause* find_cause(const Fault& fault, std::string_view word);

}  // namespace vigia::health
