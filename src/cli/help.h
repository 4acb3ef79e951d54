// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/arguments.h"

namespace vigia::cli {

// What `vigia help VERB` prints: usage, arguments, options, verbs below, and what every verb takes.
[[nodiscard]] std::string help_text(const Path& path, Language language);

// "vigia quarantine restore ID [OPTION]…"
[[nodiscard]] std::string usage(const Path& path, Language language);

// "-f, --follow", "--since T"
[[nodiscard]] std::string synopsis(const Option& option);

// "PATH…", "[ID]"
[[nodiscard]] std::string synopsis(const Position& position);

// The help of an option with its choices or limits.
[[nodiscard]] std::string explanation(const Option& option, Language language);

}  // namespace vigia::cli
