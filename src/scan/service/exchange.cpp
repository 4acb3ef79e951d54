// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/exchange.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <climits>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/seqpacket.h"
#include "scan/service/process_facts.h"

namespace vigia::scan::detail {
namespace {

using std::chrono::milliseconds;
using Packet = std::vector<std::byte>;

constexpr std::size_t kLongestThreat = 256;
// A worker with an empty queue that does not take one packet in this time is stuck.
constexpr milliseconds kSendTimeout{1000};
// From the closing of its socket to the end of a process that is really ending.
constexpr milliseconds kEndTimeout{100};

std::unexpected<Break> broken(BreakKind kind, bool delivered, std::string how) {
    return std::unexpected(Break{.kind = kind, .delivered = delivered, .how = std::move(how)});
}

std::unexpected<Break> closed(Peer peer, bool delivered) {
    if (has_ended(peer.pidfd, kEndTimeout)) {
        return broken(BreakKind::Ended, delivered, {});
    }
    return broken(BreakKind::Hostile, delivered, "protocol violation: closed its socket");
}

// What has arrived by now; nothing yet is nullopt.
std::expected<std::optional<Packet>, Break> receive_now(Peer peer, bool delivered) {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    const auto received = seqpacket::receive(peer.socket, buffer, milliseconds{0});
    if (!received) {
        const auto code = received.error().code;
        if (code == std::errc::timed_out) {
            return std::nullopt;
        }
        if (code == std::errc::message_size) {
            return broken(BreakKind::Hostile, delivered, "protocol violation: oversized packet");
        }
        return closed(peer, delivered);
    }
    if (received->size == 0) {
        return closed(peer, delivered);
    }
    if (!received->descriptors.empty()) {
        return broken(BreakKind::Hostile, delivered, "protocol violation: sent a descriptor");
    }
    const auto bytes = std::span(buffer).first(received->size);
    return Packet(bytes.begin(), bytes.end());
}

// Nothing may lie in the socket before we have asked.
std::expected<void, Break> expect_silence(Peer peer) {
    const auto early = receive_now(peer, false);
    if (!early) {
        return std::unexpected(early.error());
    }
    if (*early) {
        return broken(BreakKind::Hostile, false, "protocol violation: spoke unasked");
    }
    return {};
}

std::expected<void, Break> deliver(Peer peer, std::span<const std::byte> packet, int file) {
    const auto sent = seqpacket::send(peer.socket, packet, std::span(&file, 1), kSendTimeout);
    if (sent) {
        return {};
    }
    const auto code = sent.error().code;
    if (code == std::errc::timed_out) {
        return broken(BreakKind::Late, false, "does not take requests");
    }
    if (code == std::errc::broken_pipe || code == std::errc::connection_reset ||
        code == std::errc::not_connected) {
        return closed(peer, false);
    }
    return broken(BreakKind::Local, false, sent.error().message());
}

std::expected<Packet, Break> await_answer(Peer peer,
                                          milliseconds timeout,
                                          const Patience* patience) {
    const auto begun = BootClock::now();
    const auto deadline = begun + timeout;
    while (true) {
        const auto now = BootClock::now();
        if (patience != nullptr && now - begun >= patience->length) {
            std::exchange(patience, nullptr)->overdue();
        }
        const auto until =
            patience != nullptr ? std::min<BootTime>(deadline, begun + patience->length) : deadline;
        const auto left = std::chrono::ceil<milliseconds>(until - now).count();
        std::array<pollfd, 2> wait_for{pollfd{.fd = peer.socket, .events = POLLIN, .revents = 0},
                                       pollfd{.fd = peer.pidfd, .events = POLLIN, .revents = 0}};
        ::poll(
            wait_for.data(), wait_for.size(), static_cast<int>(std::clamp<long>(left, 0, INT_MAX)));
        auto answer = receive_now(peer, true);
        if (!answer) {
            return std::unexpected(std::move(answer).error());
        }
        if (auto& packet = *answer) {
            return *std::move(packet);
        }
        if (wait_for[1].revents != 0) {
            return broken(BreakKind::Ended, true, {});
        }
        if (now >= deadline) {
            return broken(BreakKind::Late, true, "deadline after " + to_text(timeout));
        }
    }
}

bool is_threat_name(std::string_view name) {
    return !name.empty() && name.size() <= kLongestThreat &&
           std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::expected<Packet, Break> ask(Peer peer,
                                 std::span<const std::byte> packet,
                                 int file,
                                 milliseconds timeout,
                                 const Patience* patience) {
    if (auto silent = expect_silence(peer); !silent) {
        return std::unexpected(std::move(silent).error());
    }
    if (auto delivered = deliver(peer, packet, file); !delivered) {
        return std::unexpected(std::move(delivered).error());
    }
    return await_answer(peer, timeout, patience);
}

std::uint64_t fresh_id() {
    std::uint64_t id = 0;
    // So few bytes are never interrupted, and there is no other error once the kernel has booted.
    (void)!::getrandom(&id, sizeof id, 0);
    return id;
}

std::expected<wire::ScanDone, std::string> read_scan_done(std::span<const std::byte> packet,
                                                          std::uint64_t id) {
    auto done = wire::decode_scan_done(packet);
    if (!done) {
        return std::unexpected("protocol violation: malformed answer");
    }
    if (done->id != id) {
        return std::unexpected("protocol violation: answered another request");
    }
    constexpr std::uint32_t kLastOutcome = 2;
    if (done->outcome > kLastOutcome || done->limit_hit > 1) {
        return std::unexpected("protocol violation: unknown outcome");
    }
    if (done->outcome == 1 && !is_threat_name(done->text)) {
        return std::unexpected("protocol violation: unprintable name of a threat");
    }
    return *std::move(done);
}

std::expected<wire::HashDone, std::string> read_hash_done(std::span<const std::byte> packet,
                                                          std::uint64_t id) {
    const auto done = wire::decode_hash_done(packet);
    if (!done) {
        return std::unexpected("protocol violation: malformed answer");
    }
    if (done->id != id) {
        return std::unexpected("protocol violation: answered another request");
    }
    constexpr std::int32_t kLastErrno = 4095;
    if (done->error < 0 || done->error > kLastErrno) {
        return std::unexpected("protocol violation: unknown error");
    }
    return *done;
}

}  // namespace vigia::scan::detail
