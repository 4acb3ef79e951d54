// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/uuid.h"

#include <systemd/sd-id128.h>

#include <array>
#include <cstdlib>

namespace vigia {

Uuid Uuid::random() {
    sd_id128_t id{};
    // Fails only where the kernel has no random source at all; no identifier could be trusted then.
    if (::sd_id128_randomize(&id) < 0) {
        std::abort();
    }
    std::array<char, SD_ID128_UUID_STRING_MAX> text{};
    return {::sd_id128_to_uuid_string(id, text.data())};
}

}  // namespace vigia
