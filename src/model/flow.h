// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/process.h"

namespace vigia {

// IPv6, or IPv4 in the form ::ffff:a.b.c.d; so the two forms of one address are equal.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] bool is_v4() const noexcept;
    [[nodiscard]] bool is_loopback() const noexcept;

    auto operator<=>(const IpAddress&) const = default;
};

// "192.0.2.1", "2001:db8::1"
[[nodiscard]] std::string to_text(const IpAddress& address);
[[nodiscard]] std::optional<IpAddress> parse_address(std::string_view text);

// A network. `bits` counts in the 16-byte form: 192.0.2.0/24 has 120. Host bits are zero.
struct IpPrefix {
    IpAddress address;
    std::uint8_t bits = 0;

    [[nodiscard]] bool contains(const IpAddress& one) const noexcept;

    auto operator<=>(const IpPrefix&) const = default;
};

// "192.0.2.0/24", "2001:db8::/32", or an address alone. Host bits are cleared. ::ffff:0:0/96 and
// longer is IPv4; a shorter one that would cover all of IPv4 (::/0) is IPv6 only.
[[nodiscard]] std::optional<IpPrefix> parse_prefix(std::string_view text);
[[nodiscard]] std::string to_text(const IpPrefix& prefix);

struct Endpoint {
    IpAddress address = {};
    std::uint16_t port = 0;  // 0: not known

    auto operator<=>(const Endpoint&) const = default;
};

enum class FlowChange : std::uint8_t {
    Connected,      // TCP, outgoing; `error` 0 or why not
    Accepted,       // TCP, incoming
    Closed,         // TCP, with bytes
    UdpBegun,       // first traffic of a socket with a peer
    UdpEnded,       // with bytes
    OwnerChanged,   // an accepted connection is served by another process than was told
    ListedAddress,  // the block list was met
    Existing,       // open when it was looked
};

enum class FlowDirection : std::uint8_t { Unknown, Out, In };

// How the owner is known, best first after None.
enum class OwnerSource : std::uint8_t {
    None,
    Caller,    // made the call itself
    Listener,  // called listen(); who accepts may be another
    Port,      // listens at this port
    Holder,    // had it open when it was looked
};

// Where a listed address was met.
enum class ListStop : std::uint8_t { None, Connect, Send, PacketIn, PacketOut };

struct FlowEvent {
    FlowChange change = FlowChange::Connected;
    std::uint64_t id = 0;  // the same from begin to end; 0: begin was not seen
    ProcessOwner owner = {};
    OwnerSource owner_source = OwnerSource::None;
    FlowDirection direction = FlowDirection::Unknown;
    std::uint8_t protocol = 0;  // IP protocol number: 6 TCP, 17 UDP
    std::uint8_t tcp_state =
        0;  // Existing only, as the kernel numbers it: 1 established, 10 listens
    Endpoint local = {};
    Endpoint remote = {};
    std::uint32_t network_namespace = 0;
    BootTime at{};
    BootTime opened{};  // when it was established; for a failed connect when it was tried
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    int error = 0;     // errno
    pid_t closer = 0;  // who closed it; 0: the kernel, or not known
    ListStop stop = ListStop::None;
    bool denied = false;  // ListedAddress: refused or dropped, not only seen
    bool listed = false;  // Existing: the block list has its remote address

    bool operator==(const FlowEvent&) const = default;
};

}  // namespace vigia
