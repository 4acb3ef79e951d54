// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"  // base64()

namespace vigia {

// What base64() made: whole groups of four digits, padded. Anything else is nothing.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace vigia
