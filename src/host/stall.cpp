// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/stall.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/files.h"

namespace vigia::host {

std::optional<double> parse_stall(std::string_view text) {
    constexpr std::string_view kSome = "some avg10=";
    constexpr double kPercent = 100;
    const auto at = text.find(kSome);
    if (at == std::string_view::npos || (at != 0 && text[at - 1] != '\n')) {
        return std::nullopt;
    }
    const std::string number(text.substr(at + kSome.size(), text.find(' ', at + kSome.size())));
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (end == number.c_str() || !(value >= 0)) {
        return std::nullopt;
    }
    return std::min(1.0, value / kPercent);
}

std::optional<double> processor_stall() {
    constexpr std::size_t kMost = 4096;
    const auto text = read_file("/proc/pressure/cpu", kMost);
    return text ? parse_stall(*text) : std::nullopt;
}

}  // namespace vigia::host
