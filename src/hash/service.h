// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "base/child_program.h"
#include "base/result.h"
#include "hash/hasher.h"

namespace vigia::hash {

// Gives up everything that hashing a descriptor does not need (hard-parts 5, 11).
[[nodiscard]] Result<> confine(const ChildOptions& options);

// Answers HashFile packets, one descriptor each, until the daemon closes. Whatever else comes is an
// error: whoever sends it is not our daemon.
[[nodiscard]] Result<> serve(int socket, Hasher& hasher);

}  // namespace vigia::hash
