// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <string>

namespace vigia {

// Random (RFC 9562 version 4) UUID in its 36-character lower-case form.
struct Uuid {
    std::string text;

    [[nodiscard]] static Uuid random();

    auto operator<=>(const Uuid&) const = default;
};

}  // namespace vigia
