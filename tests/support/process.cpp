// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "base/subprocess.h"

namespace vigia::test {
namespace {

// Reads what is there; false at the end.
bool drain(int fd, std::string& into) {
    std::array<char, 65536> chunk{};
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got > 0) {
        into.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return got > 0;
}

}  // namespace

Output run(const std::filesystem::path& program,
           const std::vector<std::string>& arguments,
           std::chrono::milliseconds timeout) {
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::pipe2(out.data(), O_CLOEXEC) < 0 || ::pipe2(err.data(), O_CLOEXEC) < 0) {
        return {};
    }
    const UniqueFd out_reader{out[0]};
    UniqueFd out_writer{out[1]};
    const UniqueFd err_reader{err[0]};
    UniqueFd err_writer{err[1]};
    auto child = Subprocess::start(
        {.program = program, .arguments = arguments, .descriptors = {{out[1], 1}, {err[1], 2}}});
    out_writer.reset();
    err_writer.reset();
    Output output;
    if (!child) {
        output.err = child.error().message();
        return output;
    }
    const auto deadline = BootClock::now() + timeout;
    std::array<pollfd, 2> waits{pollfd{.fd = out_reader.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = err_reader.get(), .events = POLLIN, .revents = 0}};
    while (waits[0].fd >= 0 || waits[1].fd >= 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - BootClock::now());
        if (left.count() <= 0 ||
            ::poll(waits.data(), waits.size(), static_cast<int>(left.count())) <= 0) {
            child->kill(SIGKILL);
            return output;
        }
        if (waits[0].revents != 0 && !drain(waits[0].fd, output.out)) {
            waits[0].fd = -1;
        }
        if (waits[1].revents != 0 && !drain(waits[1].fd, output.err)) {
            waits[1].fd = -1;
        }
    }
    const auto status = child->wait(timeout);
    if (status) {
        output.exit = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
    }
    return output;
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
    const auto deadline = BootClock::now() + timeout;
    while (!condition()) {
        if (BootClock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return true;
}

std::filesystem::path dev_program(const std::string& name) {
    return std::filesystem::path(VIGIA_BIN_DIR) / name;
}

}  // namespace vigia::test
