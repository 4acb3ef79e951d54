// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace vigia {
namespace {

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t length = 0;  // 0: the first byte does not start a valid sequence
};

// Strict UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
CodePoint decode(std::string_view bytes) noexcept {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    const unsigned char first = byte(0);
    if (first < 0x80) {
        return {first, 1};
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size() < length) {
        return {};
    }
    std::uint32_t value = first & (0x7fU >> length);
    for (std::size_t at = 1; at < length; ++at) {
        if ((byte(at) & 0xc0U) != 0x80U) {
            return {};
        }
        value = (value << 6U) | (byte(at) & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < kSmallest.at(length) || value > 0x10ffff || surrogate) {
        return {};
    }
    return {value, length};
}

// Characters that move the cursor, hide text or turn its direction.
bool is_harmful(std::uint32_t code) noexcept {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

std::string escaped(std::string_view bytes, std::string_view backslash) {
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto code = decode(bytes);
        if (code.length == 0) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()));
            bytes.remove_prefix(1);
            continue;
        }
        if (code.value == '\n') {
            out += "\\n";
        } else if (code.value == '\t') {
            out += "\\t";
        } else if (code.value == '\\') {
            out += backslash;
        } else if (is_harmful(code.value)) {
            out += code.value <= 0xff ? fmt::format("\\x{:02x}", code.value)
                                      : fmt::format("\\u{:04x}", code.value);
        } else {
            out += bytes.substr(0, code.length);
        }
        bytes.remove_prefix(code.length);
    }
    return out;
}

// Everything but printable ASCII as \xNN.
std::string dollar_quoted(std::string_view bytes) {
    std::string word = "$'";
    for (const char c : bytes) {
        if (c < ' ' || c >= 0x7f) {
            word += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else if (c == '\'' || c == '\\') {
            word += std::string("\\") + c;
        } else {
            word += c;
        }
    }
    return word + "'";
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const auto code = decode(bytes);
        if (code.length == 0) {
            return false;
        }
        bytes.remove_prefix(code.length);
    }
    return true;
}

std::string printable(std::string_view bytes) {
    return escaped(bytes, "\\\\");
}

std::string harmless(std::string_view sentence) {
    return escaped(sentence, "\\");
}

std::string shell_quoted(std::string_view bytes) {
    constexpr std::string_view kPlain = "/._-+:,@%=";
    const auto is_plain = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kPlain.find(c) != std::string_view::npos;
    };
    if (!bytes.empty() && std::ranges::all_of(bytes, is_plain)) {
        return std::string(bytes);
    }
    const bool as_it_is = utf8_lossy(bytes) == bytes && std::ranges::none_of(bytes, [](char c) {
                              return c == 0x7f || (c >= 0 && c < ' ');
                          });
    if (!as_it_is) {
        return dollar_quoted(bytes);
    }
    std::string word = "'";
    for (const char c : bytes) {
        word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return word + "'";
}

std::string utf8_lossy(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto code = decode(bytes);
        const std::size_t taken = code.length == 0 ? 1 : code.length;
        out += code.length == 0 ? std::string_view{"\xef\xbf\xbd"} : bytes.substr(0, taken);
        bytes.remove_prefix(taken);
    }
    return out;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto group = bytes.substr(at, 3);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            bits = (bits << 8U) | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            out += i <= group.size() ? kDigits[(bits >> (18U - 6U * i)) & 0x3fU] : '=';
        }
    }
    return out;
}

std::string to_hex(std::span<const std::byte> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const auto value : bytes) {
        out += kDigits[std::to_integer<unsigned>(value) >> 4U];
        out += kDigits[std::to_integer<unsigned>(value) & 0xfU];
    }
    return out;
}

std::optional<std::vector<std::byte>> from_hex(std::string_view hex) {
    if (hex.size() % 2 != 0) {
        return std::nullopt;
    }
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'f') {
            return c - 'a' + 10;
        }
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    std::vector<std::byte> bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t at = 0; at < hex.size(); at += 2) {
        const int high = digit(hex[at]);
        const int low = digit(hex[at + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return bytes;
}

}  // namespace vigia
