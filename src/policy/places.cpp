// SPDX-License-Identifier: GPL-2.0-or-later
// The notations of values.h that name places: paths, patterns of paths, networks.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "base/text.h"
#include "policy/values.h"
#include "policy/wildcard.h"

namespace vigia::policy {
namespace {

std::unexpected<Complaint> refuse(std::string message, std::string suggestion = {}) {
    return std::unexpected(
        Complaint{.message = std::move(message), .suggestion = std::move(suggestion)});
}

struct Normalised {
    std::string path;
    bool had_dots = false;
};

// What the kernel would make of it if no component were a symbolic link.
Normalised normalise(std::string_view text) {
    Normalised result;
    while (!text.empty()) {
        const auto slash = std::min(text.find('/'), text.size());
        const auto component = text.substr(0, slash);
        text.remove_prefix(std::min(slash + 1, text.size()));
        result.had_dots |= component == "." || component == "..";
        if (component == "..") {
            result.path.resize(std::min(result.path.rfind('/'), result.path.size()));
        } else if (!component.empty() && component != ".") {
            result.path += '/';
            result.path += component;
        }
    }
    if (result.path.empty()) {
        result.path.push_back('/');
    }
    return result;
}

struct Network {
    int family = AF_INET;
    std::array<unsigned char, 16> address{};
    unsigned length = 0;

    [[nodiscard]] std::size_t bytes() const noexcept { return family == AF_INET ? 4 : 16; }

    [[nodiscard]] unsigned bits() const noexcept { return family == AF_INET ? 32 : 128; }

    [[nodiscard]] std::string text() const {
        std::array<char, INET6_ADDRSTRLEN> written{};
        ::inet_ntop(family, address.data(), written.data(), written.size());
        return fmt::format("{}/{}", written.data(), length);
    }
};

std::optional<unsigned> prefix_length(std::string_view text) {
    unsigned length = 0;
    const auto* const end = text.data() + text.size();
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): its end is given
    const auto [stopped, error] = std::from_chars(text.data(), end, length);
    return error == std::errc{} && stopped == end ? std::optional(length) : std::nullopt;
}

std::optional<Network> read_network(std::string_view text) {
    const auto slash = text.find('/');
    const std::string address(text.substr(0, slash));
    Network network;
    if (address.contains(':')) {
        network.family = AF_INET6;
    }
    if (::inet_pton(network.family, address.c_str(), network.address.data()) != 1) {
        return std::nullopt;
    }
    network.length = network.bits();
    if (slash != std::string_view::npos) {
        const auto length = prefix_length(text.substr(slash + 1));
        if (!length || *length > network.bits()) {
            return std::nullopt;
        }
        network.length = *length;
    }
    return network;
}

// The same network with everything behind the prefix at zero.
Network masked(Network network) {
    for (std::size_t at = 0; at < network.bytes(); ++at) {
        const auto before = static_cast<unsigned>(at) * 8;
        const unsigned kept = std::clamp(network.length, before, before + 8) - before;
        network.address.at(at) &= static_cast<unsigned char>(0xff00U >> kept);
    }
    return network;
}

// ::ffff:0:0/96: such a connect arrives as IPv6 and reaches IPv4 (hard-parts 21).
std::optional<Network> mapped_ipv4(const Network& network) {
    constexpr std::array<unsigned char, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (network.family != AF_INET6 || network.length < 96 ||
        !std::ranges::equal(kPrefix, std::span(network.address).first(kPrefix.size()))) {
        return std::nullopt;
    }
    Network ipv4{.family = AF_INET, .length = network.length - 96};
    std::ranges::copy(std::span(network.address).subspan(kPrefix.size()), ipv4.address.begin());
    return ipv4;
}

bool matches_everything(std::string_view pattern) {
    return pattern.contains("**") && pattern.find_first_not_of("*/") == std::string_view::npos;
}

}  // namespace

Parsed<std::string> parse_path(std::string_view text) {
    if (text.empty()) {
        return refuse("an empty path");
    }
    if (text.contains('\0')) {
        return refuse("a path cannot hold a NUL byte");
    }
    if (!text.starts_with('/')) {
        return refuse(fmt::format("'{}' is not absolute: a path begins with /", printable(text)));
    }
    auto [path, had_dots] = normalise(text);
    if (had_dots) {
        return refuse(fmt::format("'{}' has a '.' or '..' component", printable(text)),
                      std::move(path));
    }
    if (path.size() >= PATH_MAX) {
        return refuse(fmt::format("{} bytes; a path has at most {}", path.size(), PATH_MAX - 1));
    }
    return path;
}

Parsed<std::string> parse_excluded_path(std::string_view text) {
    auto path = parse_path(text);
    if (path && *path == "/") {
        return refuse(
            "excluding / would leave out everything; name the folders, or set "
            "files.monitor_copies_and_moves = false");
    }
    return path;
}

Parsed<std::string> parse_wildcard(std::string_view text) {
    if (text.empty()) {
        return refuse("an empty pattern");
    }
    if (text.contains('\0')) {
        return refuse("a pattern cannot hold a NUL byte");
    }
    if (!text.starts_with('/') && !text.starts_with("**")) {
        return refuse(
            fmt::format("'{}' can never match: a pattern begins with / or **", printable(text)),
            fmt::format("**/{}", text));
    }
    if (matches_everything(text)) {
        return refuse(fmt::format("'{}' would leave out everything", printable(text)));
    }
    if (text.contains("//") || text.ends_with('/')) {
        return refuse(fmt::format("'{}' can never match: paths have single slashes and none at "
                                  "their end",
                                  printable(text)),
                      text.ends_with('/') && !text.contains("//") ? fmt::format("{}**", text)
                                                                  : std::string{});
    }
    if (normalise(text).had_dots) {
        return refuse(fmt::format("'{}' has a '.' or '..' component", printable(text)));
    }
    const auto compiled = Wildcard::compile(text);
    if (!compiled) {
        return std::unexpected(compiled.error());
    }
    return std::string(text);
}

Parsed<std::string> parse_network(std::string_view text) {
    const auto network = read_network(text);
    if (!network) {
        return refuse(
            fmt::format("expected a network such as \"203.0.113.0/24\" or "
                        "\"2001:db8::/32\", found '{}'",
                        printable(text)));
    }
    const auto clean = masked(*network);
    if (const auto ipv4 = mapped_ipv4(clean)) {
        return refuse(fmt::format("'{}' is an IPv4 network in IPv6 form", printable(text)),
                      ipv4->text());
    }
    if (clean.address != network->address) {
        return refuse(
            fmt::format("'{}' has bits set behind its /{}", printable(text), network->length),
            clean.text());
    }
    return clean.text();
}

}  // namespace vigia::policy
