// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fallback/sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "sensors/fallback/proc_table.h"

namespace vigia::sensors {
namespace {

constexpr std::size_t kMostSockets = 100'000;
constexpr std::size_t kAnswer = std::size_t{64} << 10U;
constexpr std::uint8_t kEstablished = 1;
constexpr std::uint8_t kListens = 10;
// Established, both half-open states, all that is being closed but TIME_WAIT, listening.
constexpr std::uint32_t kTcpStates = 0xfffU & ~(1U << 6U) & ~(1U << 7U);

IpAddress address_of(std::uint8_t family, const std::uint32_t (&words)[4]) {  // NOLINT(*-arrays)
    IpAddress address;
    if (family == AF_INET6) {
        std::memcpy(address.bytes.data(), words, address.bytes.size());
    } else {
        address.bytes[10] = address.bytes[11] = 0xff;
        std::memcpy(&address.bytes[12], words, sizeof(words[0]));
    }
    return address;
}

// What stands behind the fixed part: of the attributes only that with the byte counts.
void read_attributes(std::span<const std::byte> bytes, DiagSocket& socket) {
    while (bytes.size() >= sizeof(rtattr)) {
        rtattr attribute{};
        std::memcpy(&attribute, bytes.data(), sizeof(attribute));
        if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > bytes.size()) {
            return;
        }
        if (attribute.rta_type == INET_DIAG_INFO) {
            tcp_info info{};
            const auto size =
                std::min<std::size_t>(attribute.rta_len - RTA_LENGTH(0), sizeof(info));
            std::memcpy(&info, bytes.data() + RTA_LENGTH(0), size);
            socket.bytes_sent = info.tcpi_bytes_acked;
            socket.bytes_received = info.tcpi_bytes_received;
        }
        bytes = bytes.subspan(
            std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), bytes.size()));  // NOLINT
    }
}

Result<> list_of(int netlink,
                 std::uint8_t family,
                 std::uint8_t protocol,
                 std::vector<DiagSocket>& into) {
    struct {
        nlmsghdr header;
        inet_diag_req_v2 request;
    } message{};

    message.header = {.nlmsg_len = sizeof(message),
                      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                      .nlmsg_seq = 1,
                      .nlmsg_pid = 0};
    message.request.sdiag_family = family;
    message.request.sdiag_protocol = protocol;
    message.request.idiag_ext = protocol == IPPROTO_TCP ? 1U << (INET_DIAG_INFO - 1U) : 0U;
    message.request.idiag_states = protocol == IPPROTO_TCP ? kTcpStates : 1U << kEstablished;
    if (::send(netlink, &message, sizeof(message), 0) < 0) {
        return fail_errno("ask for the sockets");
    }
    alignas(nlmsghdr) std::array<std::byte, kAnswer> answer{};
    for (;;) {
        const auto size = ::recv(netlink, answer.data(), answer.size(), 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return fail_errno("read the sockets");
        }
        int error = 0;
        const bool more = take_diag_answer(
            std::span(answer).first(static_cast<std::size_t>(size)), protocol, into, error);
        if (error != 0) {
            errno = error;
            return fail_errno("list the sockets");
        }
        if (!more) {
            return {};
        }
    }
}

}  // namespace

bool take_diag_answer(std::span<const std::byte> bytes,
                      std::uint8_t protocol,
                      std::vector<DiagSocket>& into,
                      int& error) {
    while (bytes.size() >= sizeof(nlmsghdr)) {
        nlmsghdr header{};
        std::memcpy(&header, bytes.data(), sizeof(header));
        if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size()) {
            return false;
        }
        const auto body = bytes.subspan(sizeof(header), header.nlmsg_len - sizeof(header));
        bytes = bytes.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), bytes.size()));
        if (header.nlmsg_type == NLMSG_DONE) {
            return false;
        }
        if (header.nlmsg_type == NLMSG_ERROR) {
            nlmsgerr told{};
            std::memcpy(&told, body.data(), std::min(body.size(), sizeof(told)));
            error = -told.error;
            return false;
        }
        inet_diag_msg message{};
        if (body.size() < sizeof(message) || into.size() >= kMostSockets) {
            continue;
        }
        std::memcpy(&message, body.data(), sizeof(message));
        const auto& id = message.id;
        DiagSocket socket{.protocol = protocol,
                          .state = message.idiag_state,
                          .local = {.address = address_of(message.idiag_family, id.idiag_src),
                                    .port = ntohs(id.idiag_sport)},
                          .remote = {.address = address_of(message.idiag_family, id.idiag_dst),
                                     .port = ntohs(id.idiag_dport)},
                          .cookie = std::uint64_t{id.idiag_cookie[1]} << 32U | id.idiag_cookie[0],
                          .inode = message.idiag_inode,
                          .uid = message.idiag_uid};
        read_attributes(
            body.subspan(std::min<std::size_t>(NLMSG_ALIGN(sizeof(message)), body.size())), socket);
        if (socket.state == kListens || socket.remote.port != 0) {
            into.push_back(socket);
        }
    }
    return true;
}

Result<std::vector<DiagSocket>> list_sockets() {
    const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!netlink) {
        return fail_errno("open socket monitoring");
    }
    const timeval limit{.tv_sec = 2, .tv_usec = 0};
    ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    std::vector<DiagSocket> sockets;
    for (const int protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
        for (const int family : {AF_INET, AF_INET6}) {
            TRY(list_of(netlink.get(),
                        static_cast<std::uint8_t>(family),
                        static_cast<std::uint8_t>(protocol),
                        sockets));
        }
    }
    return sockets;
}

std::vector<FlowEvent> open_sockets() {
    const auto sockets = list_sockets();
    std::vector<FlowEvent> flows;
    if (!sockets) {
        return flows;
    }
    std::set<std::pair<std::uint8_t, std::uint16_t>> listening;
    std::set<std::uint64_t> inodes;
    for (const auto& socket : *sockets) {
        if (socket.state == kListens) {
            listening.emplace(socket.protocol, socket.local.port);
        }
        inodes.insert(socket.inode);
    }
    inodes.erase(0);
    const auto holders = holders_of(std::move(inodes));
    const auto now = Clock::boot();
    for (const auto& socket : *sockets) {
        const auto holder = holders.find(socket.inode);
        const auto process = holder != holders.end() ? read_process(holder->second) : std::nullopt;
        flows.push_back({.change = FlowChange::Existing,
                         .owner = process ? process->who : ProcessOwner{.uid = socket.uid},
                         .owner_source = process ? OwnerSource::Holder : OwnerSource::None,
                         .direction = listening.contains({socket.protocol, socket.local.port})
                                          ? FlowDirection::In
                                          : FlowDirection::Out,
                         .protocol = socket.protocol,
                         .tcp_state = socket.state,
                         .local = socket.local,
                         .remote = socket.remote,
                         .at = now,
                         .bytes_sent = socket.bytes_sent,
                         .bytes_received = socket.bytes_received});
    }
    return flows;
}

}  // namespace vigia::sensors
