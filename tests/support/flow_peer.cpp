// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/flow_peer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <sstream>

#include "model/flow.h"

namespace vigia::test {
namespace {

constexpr int kSeconds = 20;  // no call waits longer

std::map<int, int>& listeners() {  // by port; of this child process
    static std::map<int, int> all;
    return all;
}

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);  // NOLINT
    }
};

// "::ffff:127.0.0.1" stays IPv6 here: the form is what is tested.
Address address_of(const std::string& text, int port) {
    const auto parsed = parse_address(text);
    Address address;
    if (text.find(':') == std::string::npos) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(static_cast<std::uint16_t>(port));
        std::memcpy(&v4.sin_addr, &parsed->bytes[12], sizeof(v4.sin_addr));
        std::memcpy(&address.storage, &v4, sizeof(v4));
        address.size = sizeof(v4);
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(static_cast<std::uint16_t>(port));
        std::memcpy(&v6.sin6_addr, parsed->bytes.data(), sizeof(v6.sin6_addr));
        std::memcpy(&address.storage, &v6, sizeof(v6));
        address.size = sizeof(v6);
    }
    return address;
}

int make_socket(const Address& address, int type) {
    const int fd = ::socket(address.storage.ss_family, type | SOCK_CLOEXEC, 0);
    const timeval limit{.tv_sec = kSeconds, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

std::string bind_to(const std::string& text, int type) {
    const auto address = address_of(text, 0);
    const int fd = make_socket(address, type);
    Address bound;
    bound.size = sizeof(bound.storage);
    if (::bind(fd, address.get(), address.size) != 0 ||
        (type == SOCK_STREAM && ::listen(fd, 1024) != 0) ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) !=
            0) {  // NOLINT
        return "errno " + std::to_string(errno);
    }
    in_port_t port = 0;  // at the same place in both families
    std::memcpy(&port, reinterpret_cast<const char*>(&bound.storage) + 2, sizeof(port));  // NOLINT
    listeners()[ntohs(port)] = fd;
    return std::to_string(ntohs(port));
}

long read_to_end(int fd) {
    std::array<char, 16384> bytes{};
    long sum = 0;
    for (ssize_t size = 0; (size = ::read(fd, bytes.data(), bytes.size())) > 0;) {
        sum += size;
    }
    return sum;
}

int accept_one(int port, bool quietly) {
    Address peer;
    peer.size = sizeof(peer.storage);
    return quietly ? ::accept4(listeners().at(port), nullptr, nullptr, SOCK_CLOEXEC)
                   : ::accept4(listeners().at(port),
                               reinterpret_cast<sockaddr*>(&peer.storage),  // NOLINT
                               &peer.size,
                               SOCK_CLOEXEC);
}

std::string serve(int port, int count) {
    for (int i = 0; i < count; ++i) {
        const int fd = accept_one(port, false);
        if (fd < 0) {
            return "errno " + std::to_string(errno);
        }
        read_to_end(fd);
        (void)::send(fd, "answer!", 7, MSG_NOSIGNAL);
        ::close(fd);
    }
    return "ok";
}

std::string connect_many(const Address& address, int count, std::size_t bytes) {
    const std::string content(bytes, 'x');
    for (int i = 0; i < count; ++i) {
        const int fd = make_socket(address, SOCK_STREAM);
        if (::connect(fd, address.get(), address.size) != 0) {
            const int error = errno;
            ::close(fd);
            return "errno " + std::to_string(error);
        }
        (void)::send(fd, content.data(), content.size(), MSG_NOSIGNAL);
        ::shutdown(fd, SHUT_WR);
        read_to_end(fd);
        ::close(fd);
    }
    return "ok";
}

std::string attempt(const Address& address) {
    const int fd = make_socket(address, SOCK_STREAM | SOCK_NONBLOCK);
    const int error = ::connect(fd, address.get(), address.size) == 0 ? 0 : errno;
    ::close(fd);
    return std::to_string(error);
}

std::string udp_send(const Address& address, int count, bool connected) {
    const int fd = make_socket(address, SOCK_DGRAM);
    int error = 0;
    if (connected && ::connect(fd, address.get(), address.size) != 0) {
        error = errno;
    }
    std::array<char, 64> bytes{};
    for (int i = 0; i < count && error == 0; ++i) {
        const auto sent = connected
                              ? ::send(fd, "0123456789", 10, 0)
                              : ::sendto(fd, "0123456789", 10, 0, address.get(), address.size);
        if (sent < 0) {
            error = errno;
        } else if (::recv(fd, bytes.data(), bytes.size(), 0) < 0) {
            error = errno;
        }
    }
    ::close(fd);
    return std::to_string(error);
}

std::string udp_receive(int port, int count) {
    std::array<char, 64> bytes{};
    for (int i = 0; i < count; ++i) {
        Address peer;
        peer.size = sizeof(peer.storage);
        auto* to = reinterpret_cast<sockaddr*>(&peer.storage);  // NOLINT
        if (::recvfrom(listeners().at(port), bytes.data(), bytes.size(), 0, to, &peer.size) < 0 ||
            ::sendto(listeners().at(port), "pong", 4, 0, to, peer.size) < 0) {
            return "errno " + std::to_string(errno);
        }
    }
    return "ok";
}

// `work` in a child; its pid once it has ended.
std::string in_child(const std::function<void()>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        work();
        ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
    return std::to_string(pid);
}

std::string pass_on(int port) {
    const int fd = accept_one(port, true);
    // Inherited is as good as passed: the child holds the last reference and closes it.
    int hold[2] = {-1, -1};  // NOLINT(*-avoid-c-arrays): what the call takes
    if (::pipe2(hold, O_CLOEXEC) < 0) {
        return "no pipe";
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
        char byte = 0;
        (void)!::read(hold[0], &byte, 1);  // the parent has closed its own
        read_to_end(fd);
        ::close(fd);
        ::_exit(0);
    }
    ::close(fd);
    (void)!::write(hold[1], "x", 1);
    ::waitpid(pid, nullptr, 0);
    ::close(hold[0]);
    ::close(hold[1]);
    return std::to_string(pid);
}

}  // namespace

std::string do_flow_work(const std::string& line, int stop) {
    std::istringstream words(line);
    std::string verb;
    std::string first;
    long second = 0;
    long third = 0;
    long fourth = 0;
    words >> verb >> first >> second >> third >> fourth;
    const auto port = [&] { return std::stoi(first); };
    const std::map<std::string, std::function<std::string()>> verbs{
        {"listen", [&] { return bind_to(first, SOCK_STREAM); }},
        {"accept",
         [&] {
             const int fd = accept_one(port(), line.ends_with("quietly"));
             const auto bytes = read_to_end(fd);
             ::close(fd);
             return std::to_string(bytes);
         }},
        {"serve", [&] { return serve(port(), static_cast<int>(second)); }},
        {"connect",
         [&] {
             return connect_many(address_of(first, static_cast<int>(second)),
                                 static_cast<int>(third),
                                 static_cast<std::size_t>(fourth));
         }},
        {"try", [&] { return attempt(address_of(first, static_cast<int>(second))); }},
        {"udp-bind", [&] { return bind_to(first, SOCK_DGRAM); }},
        {"udp-send",
         [&] {
             return udp_send(
                 address_of(first, static_cast<int>(second)), static_cast<int>(third), false);
         }},
        {"udp-connect",
         [&] { return udp_send(address_of(first, static_cast<int>(second)), 1, true); }},
        {"udp-receive", [&] { return udp_receive(port(), static_cast<int>(second)); }},
        {"fork-accept",
         [&] {
             return in_child([&] {
                 const int fd = accept_one(port(), false);
                 read_to_end(fd);
                 ::close(fd);
             });
         }},
        {"pass", [&] { return pass_on(port()); }},
        {"hammer",
         [&] {
             const auto address = address_of(first, static_cast<int>(second));
             long refused = 0;
             long others = 0;
             for (pollfd ends{.fd = stop, .events = POLLIN, .revents = 0};
                  ::poll(&ends, 1, 0) == 0;) {
                 const bool denied = attempt(address) == std::to_string(EPERM);
                 ++(denied ? refused : others);
             }
             char word = 0;
             (void)!::read(stop, &word, 1);
             return std::to_string(refused) + ' ' + std::to_string(others);
         }},
        {"user",
         [&] {
             const auto uid = static_cast<uid_t>(port());
             return std::to_string(::setgid(uid) | ::setuid(uid));
         }},
    };
    const auto found = verbs.find(verb);
    return found != verbs.end() ? found->second() : "?";
}

}  // namespace vigia::test
