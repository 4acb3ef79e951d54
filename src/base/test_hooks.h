// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace vigia {

// In the test build: the environment variable names a file, and that file exists. In what users
// get: false, whatever the environment says.
[[nodiscard]] bool test_switch(const char* variable);

}  // namespace vigia
