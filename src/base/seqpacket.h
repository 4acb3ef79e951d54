// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

// Message sockets between the daemon and its children. One message is one packet: the peer can
// neither send half of one nor make us wait for the rest.
namespace vigia::seqpacket {

// AF_UNIX SOCK_SEQPACKET, both ends O_CLOEXEC and non-blocking.
[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> pair();

// Sends one packet with the descriptors attached (at most 4). ETIMEDOUT when the peer does not take
// it before the deadline, EPIPE when it is gone (no SIGPIPE).
[[nodiscard]] Result<> send(int socket,
                            std::span<const std::byte> packet,
                            std::span<const int> descriptors,
                            std::chrono::milliseconds timeout);

struct Received {
    std::size_t size = 0;  // bytes written into the buffer; 0: the peer has closed
    std::vector<UniqueFd> descriptors;
};

// Receives one packet. A packet larger than the buffer or with more than 4 descriptors is EMSGSIZE
// (a hostile peer; what came with it is closed). ETIMEDOUT after the timeout.
[[nodiscard]] Result<Received> receive(int socket,
                                       std::span<std::byte> buffer,
                                       std::chrono::milliseconds timeout);

}  // namespace vigia::seqpacket
