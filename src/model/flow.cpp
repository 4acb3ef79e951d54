// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/flow.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace vigia {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

IpAddress without_host_bits(IpAddress address, unsigned bits) {
    for (std::size_t i = 0; i < address.bytes.size(); ++i) {
        const auto begin = static_cast<unsigned>(i) * 8;
        const auto kept = bits > begin ? std::min(bits - begin, 8U) : 0U;
        address.bytes.at(i) &= static_cast<std::uint8_t>(0xff00U >> kept);
    }
    return address;
}

}  // namespace

bool IpAddress::is_v4() const noexcept {
    return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

bool IpAddress::is_loopback() const noexcept {
    constexpr std::array<std::uint8_t, 16> kLoopback{
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return is_v4() ? bytes[12] == 127 : bytes == kLoopback;
}

std::string to_text(const IpAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.is_v4()) {
        inet_ntop(AF_INET, &address.bytes[12], text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
    }
    return text.data();
}

std::optional<IpAddress> parse_address(std::string_view text) {
    const std::string zero_ended(text);
    IpAddress address;
    if (zero_ended.size() != std::strlen(zero_ended.c_str())) {
        return std::nullopt;
    }
    if (inet_pton(AF_INET, zero_ended.c_str(), &address.bytes[12]) == 1) {
        std::ranges::copy(kMapped, address.bytes.begin());
        return address;
    }
    if (inet_pton(AF_INET6, zero_ended.c_str(), address.bytes.data()) == 1) {
        return address;
    }
    return std::nullopt;
}

bool IpPrefix::contains(const IpAddress& one) const noexcept {
    return without_host_bits(one, bits) == address && one.is_v4() == address.is_v4();
}

std::optional<IpPrefix> parse_prefix(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    const bool dotted = text.substr(0, slash).find(':') == std::string_view::npos;
    const unsigned most = dotted ? 32 : 128;
    unsigned bits = most;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (error != std::errc{} || end != digits.data() + digits.size() || bits > most) {
            return std::nullopt;
        }
    }
    bits += dotted ? kMappedBits : 0;
    return IpPrefix{.address = without_host_bits(*address, bits),
                    .bits = static_cast<std::uint8_t>(bits)};
}

std::string to_text(const IpPrefix& prefix) {
    const bool v4 = prefix.address.is_v4() && prefix.bits >= kMappedBits;
    return to_text(prefix.address) + '/' + std::to_string(prefix.bits - (v4 ? kMappedBits : 0U));
}

}  // namespace vigia
