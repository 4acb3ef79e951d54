// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "cli/context.h"
#include "model/language.h"

namespace vigia::cli {

// A fault's severity, given by its stable word ("minor", "major", "critical"), for people.
[[nodiscard]] std::string_view severity_text(std::string_view word, Language language);
[[nodiscard]] Tone tone_of_severity(std::string_view word);

}  // namespace vigia::cli
