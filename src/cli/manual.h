// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/arguments.h"

namespace vigia::cli {

// vigia(1) as roff for man(7): every verb and option of the tree, and what the tree does not know
// (exit status, files, environment).
[[nodiscard]] std::string manual(const Verb& program, Language language);

}  // namespace vigia::cli
