// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "cli/context.h"

namespace CLI {
class App;
}

namespace vigia::cli {

// What the chosen verb does; set by its callback while the command line is parsed.
using Action = std::function<Exit(const Context&)>;

// One function per verb, each in verbs/<verb>.cpp: declares its options under `app` and, when it is
// chosen, puts what to do into `action`.
void add_status(CLI::App& app, Action& action);
void add_selftest(CLI::App& app, Action& action);
void add_scan(CLI::App& app, Action& action);
void add_quarantine(CLI::App& app, Action& action);
void add_events(CLI::App& app, Action& action);
void add_policy(CLI::App& app, Action& action);
void add_definitions(CLI::App& app, Action& action);

}  // namespace vigia::cli
