// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "policy/tree.h"

namespace vigia::policy {

// What makes a text unfit for the parser before any grammar: size, NUL, invalid UTF-8, nesting
// beyond kMaxNesting. One pass, no allocation but the message.
[[nodiscard]] std::optional<SyntaxError> shape_error(std::string_view text);

}  // namespace vigia::policy
