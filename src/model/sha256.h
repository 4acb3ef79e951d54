// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace vigia {

// A SHA-256 digest.
struct Sha256 {
    std::array<std::byte, 32> bytes{};

    auto operator<=>(const Sha256&) const = default;

    [[nodiscard]] std::string hex() const;

    // 64 hex digits, either case.
    [[nodiscard]] static std::optional<Sha256> parse(std::string_view hex);
};

}  // namespace vigia

template <>
struct std::hash<vigia::Sha256> {
    std::size_t operator()(const vigia::Sha256& digest) const noexcept {
        std::size_t value = 0;  // already uniformly distributed: any eight bytes will do
        std::memcpy(&value, digest.bytes.data(), sizeof value);
        return value;
    }
};
