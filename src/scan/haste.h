// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace vigia::scan {

// How much a scan may get in the way of other work.
enum class Haste : std::uint8_t {
    Asked,       // somebody waits for it
    Prompt,      // something that can run has changed
    Background,  // the rest
};

}  // namespace vigia::scan
