// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "scand/engines/clamav/engine.h"

namespace vigia::scand {

// The loop of a worker: one file at a time, until the daemon closes the socket (then it returns). A
// packet that is not exactly a ScanFile with one descriptor is an error: whoever sends it is not
// our daemon. The worker is already confined.
[[nodiscard]] Result<> serve_files(int socket, Engine& engine, const std::string& temporary_folder);

}  // namespace vigia::scand
