// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/flow.h"

// Sockets of this network namespace, as the kernel's socket monitoring (NETLINK_SOCK_DIAG) lists
// them.
namespace vigia::sensors {

struct DiagSocket {
    std::uint8_t protocol = 0;  // 6, 17
    std::uint8_t state = 0;     // TCP state of the kernel; 1 established, 10 listens
    Endpoint local = {};
    Endpoint remote = {};
    std::uint64_t cookie = 0;  // the same as long as the socket lives
    std::uint64_t inode = 0;   // 0: nobody has it open
    uid_t uid = 0;
    std::uint64_t bytes_sent = 0;  // TCP, acknowledged until now
    std::uint64_t bytes_received = 0;
};

// TCP that is connected or listens; connected UDP. At most 100,000.
[[nodiscard]] Result<std::vector<DiagSocket>> list_sockets();

// The same with one of the processes that have each open, as Existing flows. Reads /proc: slow.
// Nothing, if the kernel does not list them.
[[nodiscard]] std::vector<FlowEvent> open_sockets();

// The sockets in one answer of the kernel. Total. Pure. False: it was the last.
[[nodiscard]] bool take_diag_answer(std::span<const std::byte> bytes,
                                    std::uint8_t protocol,
                                    std::vector<DiagSocket>& into,
                                    int& error);

}  // namespace vigia::sensors
