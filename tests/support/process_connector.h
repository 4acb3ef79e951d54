// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "base/unique_fd.h"

namespace vigia::test {

// The kernel's process connector: another way to hear of exec and exit, to check a sensor against.
class ProcessConnector {
public:
    ProcessConnector() {
        socket_.reset(::socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR));
        const int bytes = 256 << 20;
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
        sockaddr_nl address{};
        address.nl_family = AF_NETLINK;
        address.nl_groups = CN_IDX_PROC;
        listens_ = ::bind(socket_.get(),
                          reinterpret_cast<const sockaddr*>(&address),  // NOLINT
                          sizeof(address)) == 0 &&
                   subscribe();
        thread_ = std::thread([this] { read(); });
    }

    ProcessConnector(const ProcessConnector&) = delete;
    ProcessConnector& operator=(const ProcessConnector&) = delete;

    ~ProcessConnector() {
        stopping_ = true;
        thread_.join();
    }

    [[nodiscard]] bool listens() const { return listens_; }

    [[nodiscard]] bool overflowed() const { return overflowed_; }

    // Of one process.
    struct Seen {
        int execs = 0;
        int exits = 0;
        unsigned exit_code = 0;
    };

    [[nodiscard]] std::map<pid_t, Seen> seen() {
        const std::scoped_lock lock(mutex_);
        return seen_;
    }

private:
    bool subscribe() {
        // A header, a cn_msg, which ends in a flexible array, and the operation in that.
        constexpr std::size_t kSize = NLMSG_HDRLEN + sizeof(cn_msg) + sizeof(proc_cn_mcast_op);
        alignas(nlmsghdr) std::array<char, kSize> bytes{};
        nlmsghdr header{};
        header.nlmsg_len = kSize;
        header.nlmsg_type = NLMSG_DONE;
        std::memcpy(bytes.data(), &header, sizeof(header));
        const cb_id id{.idx = CN_IDX_PROC, .val = CN_VAL_PROC};
        std::memcpy(&bytes[NLMSG_HDRLEN + offsetof(cn_msg, id)], &id, sizeof(id));
        const auto operation = PROC_CN_MCAST_LISTEN;
        const std::uint16_t size = sizeof(operation);
        std::memcpy(&bytes[NLMSG_HDRLEN + offsetof(cn_msg, len)], &size, sizeof(size));
        std::memcpy(&bytes[NLMSG_HDRLEN + sizeof(cn_msg)], &operation, sizeof(operation));
        return ::send(socket_.get(), bytes.data(), bytes.size(), 0) == kSize;
    }

    void read() {
        alignas(nlmsghdr) std::array<char, 4096> bytes{};
        while (!stopping_) {
            pollfd polled{.fd = socket_.get(), .events = POLLIN, .revents = 0};
            if (::poll(&polled, 1, 50) < 1) {
                continue;
            }
            const auto size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
            if (size < 0) {
                overflowed_ = overflowed_ || errno == ENOBUFS;
                continue;
            }
            proc_event event{};
            constexpr auto kBefore = NLMSG_HDRLEN + sizeof(cn_msg);
            if (static_cast<std::size_t>(size) < kBefore) {
                continue;
            }
            std::memcpy(&event,
                        bytes.data() + kBefore,
                        std::min(sizeof(event), static_cast<std::size_t>(size) - kBefore));
            note(event);
        }
    }

    void note(const proc_event& event) {
        const std::scoped_lock lock(mutex_);
        if (event.what == proc_event::PROC_EVENT_FORK &&
            event.event_data.fork.child_pid == event.event_data.fork.child_tgid) {
            // Whoever had the number before is not to be counted with its new owner.
            seen_[event.event_data.fork.child_tgid] = {};
        } else if (event.what == proc_event::PROC_EVENT_EXEC) {
            ++seen_[event.event_data.exec.process_tgid].execs;
        } else if (event.what == proc_event::PROC_EVENT_EXIT &&
                   event.event_data.exit.process_pid == event.event_data.exit.process_tgid) {
            auto& one = seen_[event.event_data.exit.process_tgid];
            ++one.exits;
            one.exit_code = event.event_data.exit.exit_code;
        }
    }

    UniqueFd socket_;
    bool listens_ = false;
    std::atomic<bool> overflowed_ = false;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;  // guards the next
    std::map<pid_t, Seen> seen_;
    std::thread thread_;
};

}  // namespace vigia::test
