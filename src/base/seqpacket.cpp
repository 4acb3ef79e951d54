// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/seqpacket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.h"

namespace vigia::seqpacket {
namespace {

constexpr std::size_t kMaxDescriptors = 4;
constexpr std::size_t kControlSize = CMSG_SPACE(sizeof(int) * kMaxDescriptors);

struct alignas(cmsghdr) Control {
    std::array<std::byte, kControlSize> bytes{};
};

// Waits for `events` until the deadline.
Result<> wait_for(int socket, short events, BootTime deadline) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - BootClock::now());
        pollfd poll_fd{.fd = socket, .events = events, .revents = 0};
        const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::max<long>(left.count(), 0)));
        if (ready > 0) {
            return {};
        }
        if (ready == 0) {
            return fail(std::errc::timed_out, "wait for peer");
        }
        if (errno != EINTR) {
            return fail_errno("poll");
        }
    }
}

std::vector<UniqueFd> take_descriptors(msghdr& message) {
    std::vector<UniqueFd> descriptors;
    for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    return descriptors;
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) < 0) {
        return fail_errno("make socket pair");
    }
    return std::pair{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

Result<> send(int socket,
              std::span<const std::byte> packet,
              std::span<const int> descriptors,
              std::chrono::milliseconds timeout) {
    if (descriptors.size() > kMaxDescriptors) {
        return fail(std::errc::invalid_argument, "too many descriptors in a packet");
    }
    // sendmsg takes it as non-const, and only reads.
    iovec part{.iov_base = const_cast<std::byte*>(packet.data()), .iov_len = packet.size()};
    Control control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.bytes.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    const auto deadline = BootClock::now() + timeout;
    while (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN && errno != ENOBUFS) {
            return fail_errno("send packet");
        }
        TRY(wait_for(socket, POLLOUT, deadline), "send packet");
    }
    return {};
}

Result<Received> receive(int socket,
                         std::span<std::byte> buffer,
                         std::chrono::milliseconds timeout) {
    const auto deadline = BootClock::now() + timeout;
    while (true) {
        iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
        Control control;
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes.data();
        message.msg_controllen = control.bytes.size();
        const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got >= 0) {
            Received received{.size = static_cast<std::size_t>(got),
                              .descriptors = take_descriptors(message)};
            if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
                return fail(std::errc::message_size, "receive packet");
            }
            return received;
        }
        if (errno == EAGAIN) {
            if (timeout <= std::chrono::milliseconds{0}) {
                return fail(std::errc::timed_out, "receive packet");
            }
            TRY(wait_for(socket, POLLIN, deadline), "receive packet");
        } else if (errno != EINTR) {
            return fail_errno("receive packet");
        }
    }
}

}  // namespace vigia::seqpacket
