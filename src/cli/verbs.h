// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/arguments.h"

namespace vigia::cli {

// One function per verb, each in verbs/<verb>.cpp; program.cpp puts them into the tree.
[[nodiscard]] Verb status_verb();
[[nodiscard]] Verb selftest_verb();
[[nodiscard]] Verb scan_verb();
[[nodiscard]] Verb quarantine_verb();
[[nodiscard]] Verb faults_verb();
[[nodiscard]] Verb doctor_verb();
[[nodiscard]] Verb events_verb();
[[nodiscard]] Verb top_verb();
[[nodiscard]] Verb exclusions_verb();
[[nodiscard]] Verb policy_verb();
[[nodiscard]] Verb definitions_verb();

// Hidden: prints what the build installs for the whole tree, `root`, which outlives it.
[[nodiscard]] Verb generate_verb(const Verb& root);

}  // namespace vigia::cli
