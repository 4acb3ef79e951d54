// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/mount.h"

#include <algorithm>
#include <cstddef>
#include <ranges>

namespace vigia {
namespace {

constexpr std::size_t kEscapeLength = 4;  // "\040"

bool is_escape(std::string_view text) {
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    return text.size() >= kEscapeLength && text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
           octal(text[2]) && octal(text[3]);
}

}  // namespace

std::string unescape_mount_field(std::string_view field) {
    std::string out;
    out.reserve(field.size());
    while (!field.empty()) {
        if (is_escape(field)) {
            out +=
                static_cast<char>((field[1] - '0') * 64 + (field[2] - '0') * 8 + (field[3] - '0'));
            field.remove_prefix(kEscapeLength);
            continue;
        }
        out += field.front();
        field.remove_prefix(1);
    }
    return out;
}

std::optional<std::string> mount_option(const Mount& mount, std::string_view name) {
    for (const auto part : std::views::split(mount.options, ',')) {
        const std::string_view option(part.begin(), part.end());
        if (option.size() > name.size() && option.starts_with(name) && option[name.size()] == '=') {
            return unescape_mount_field(option.substr(name.size() + 1));
        }
    }
    return std::nullopt;
}

}  // namespace vigia
