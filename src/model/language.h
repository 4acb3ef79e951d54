// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string_view>

namespace vigia {

// The languages of everything that is written for people.
enum class Language : std::uint8_t { English, Spanish };

// One text in every language. A duty: whoever writes one writes all.
struct Text {
    std::string_view en = {};
    std::string_view es = {};

    [[nodiscard]] constexpr std::string_view in(Language language) const {
        return language == Language::Spanish ? es : en;
    }
};

}  // namespace vigia
