// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/arguments.h"

namespace vigia::cli {

// Scripts with which a shell completes the command line of `program`: verbs, options, their values
// where these are known (choices, files, folders). They call no program while completing.
[[nodiscard]] std::string bash_completion(const Verb& program);
[[nodiscard]] std::string zsh_completion(const Verb& program, Language language);
[[nodiscard]] std::string fish_completion(const Verb& program, Language language);

}  // namespace vigia::cli
