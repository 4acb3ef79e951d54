// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.h"

namespace vigia::scand {

// Removes everything in the folder, however deep a hostile worker has nested it: one descriptor at
// a time, no recursion. The folder must not be written to meanwhile; it stays itself.
[[nodiscard]] Result<> empty_folder(const std::string& path);

}  // namespace vigia::scand
