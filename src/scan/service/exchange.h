// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "wire/scan_protocol.h"

// One question, one answer, with a child that is not trusted.
namespace vigia::scan::detail {

struct Peer {
    int socket = -1;  // SEQPACKET
    int pidfd = -1;   // of the process at the other end
};

enum class BreakKind : std::uint8_t {
    Local,    // our own descriptor could not be sent; the child has done nothing wrong
    Ended,    // the child is gone; its wait status tells more than we know
    Late,     // no answer before the deadline
    Hostile,  // what it said is not in the message table
};

struct Break {
    BreakKind kind = BreakKind::Hostile;
    bool delivered = false;  // the child may have seen the file
    std::string how;         // for people; empty when Ended
};

// `overdue` is called once, when there has been no answer for so long; it must not block.
struct Patience {
    std::chrono::nanoseconds length{};
    std::function<void()> overdue;
};

// Sends `packet` with `file` and waits for the one packet that answers it. Whatever the child said
// without being asked, a descriptor in its answer, a packet larger than the protocol knows, a
// closed socket of a process that lives on: Hostile. Never blocks for longer than `timeout` and
// 100 ms. The caller ends the child on every kind but Local.
[[nodiscard]] std::expected<std::vector<std::byte>, Break> ask(Peer peer,
                                                               std::span<const std::byte> packet,
                                                               int file,
                                                               std::chrono::milliseconds timeout,
                                                               const Patience* patience = nullptr);

// Names a request. Not to be guessed: an answer prepared before the question is not believed.
[[nodiscard]] std::uint64_t fresh_id();

// The answer of a worker, held against the message table and the request: id, outcome, flags, and
// the name of the threat (1 … 256 printable ASCII characters). Otherwise what is wrong with it.
[[nodiscard]] std::expected<wire::ScanDone, std::string> read_scan_done(
    std::span<const std::byte> packet, std::uint64_t id);

// The same for vigia-hash: id, and an errno the kernel knows.
[[nodiscard]] std::expected<wire::HashDone, std::string> read_hash_done(
    std::span<const std::byte> packet, std::uint64_t id);

}  // namespace vigia::scan::detail
