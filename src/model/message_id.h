// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace vigia {

// MESSAGE_ID of the systemd journal (128 bits as 32 hex digits): a random one of our own whose last
// four digits are the fault's number; 0 is for all other events. What the journal's catalogue
// (`vigia generate catalog`) is found by: never changes.
[[nodiscard]] inline std::string message_id(int fault) {
    constexpr const char* kHex = "0123456789abcdef";
    std::string id = "3c1f6a5b0e8d4b7a9f2ec47d51880000";
    auto rest = static_cast<std::uint16_t>(fault);
    for (auto at = id.size(); rest != 0; rest = static_cast<std::uint16_t>(rest >> 4U)) {
        id[--at] = kHex[rest & 0xfU];
    }
    return id;
}

}  // namespace vigia
