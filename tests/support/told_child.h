// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace vigia::test {

// A forked child that does what it is told, one word at a time, and answers each. It is made before
// the sensor is opened: what the sensor's own process starts later is its own and not told.
// The child runs `work(word, socket) → answer` and ends with the socket. It has no threads of ours.
class ToldChild {
public:
    using Work = std::function<std::string(const std::string&, int)>;

    explicit ToldChild(const Work& work) {
        int ends[2] = {-1, -1};  // NOLINT(*-avoid-c-arrays): what the call takes
        (void)::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            serve(ends[1], work);
            ::_exit(0);
        }
        socket_.reset(ends[0]);
        ::close(ends[1]);
    }

    ToldChild(const ToldChild&) = delete;
    ToldChild& operator=(const ToldChild&) = delete;

    ~ToldChild() {
        socket_.reset();
        ::waitpid(pid_, nullptr, 0);
    }

    [[nodiscard]] pid_t pid() const { return pid_; }

    void tell(const std::string& word) const {
        (void)::send(socket_.get(), word.data(), word.size(), MSG_NOSIGNAL);
    }

    // Empty: none within the time.
    [[nodiscard]] std::string answer(std::chrono::milliseconds timeout) const {
        pollfd polled{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&polled, 1, static_cast<int>(timeout.count())) != 1) {
            return {};
        }
        std::string text(65536, '\0');
        const auto size = ::recv(socket_.get(), text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }

    [[nodiscard]] std::string ask(const std::string& word,
                                  std::chrono::milliseconds timeout = std::chrono::seconds{20}) {
        tell(word);
        return answer(timeout);
    }

private:
    static void serve(int socket, const Work& work) {
        std::string word(4096, '\0');
        while (true) {
            const auto size = ::recv(socket, word.data(), word.size(), 0);
            if (size <= 0) {
                return;
            }
            const auto answer = work(word.substr(0, static_cast<std::size_t>(size)), socket);
            if (::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) {
                return;
            }
        }
    }

    pid_t pid_ = -1;
    UniqueFd socket_;
};

}  // namespace vigia::test
