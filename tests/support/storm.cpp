// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/storm.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string_view>

#include "base/unique_fd.h"
#include "definitions/builtin.h"
#include "support/playground.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

Subprocess start_self(std::vector<std::string> arguments) {
    auto started =
        Subprocess::start({.program = "/proc/self/exe", .arguments = std::move(arguments)});
    EXPECT_TRUE(started.has_value());
    return std::move(*started);
}

int write_files(char** arguments) {
    const fs::path folder = arguments[0];
    const int first = std::atoi(arguments[1]);
    const int files = std::atoi(arguments[2]);
    const int every = std::atoi(arguments[3]);
    constexpr int kPerFolder = 500;
    constexpr int kContents = 200;  // what is written again and again is mostly the same
    const auto eicar = definitions::eicar_content();
    for (int i = first; i < first + files; ++i) {
        const auto place = folder / fmt::format("d{}", i / kPerFolder);
        fs::create_directories(place);
        if (i % every == 0) {
            write_file(place / fmt::format("bad{}.txt", i), eicar);
        } else {
            write_file(place / fmt::format("good{}.txt", i),
                       fmt::format("clean content number {}\n", i % kContents));
        }
    }
    return 0;
}

void connect_once(int listener, const sockaddr_in& address) {
    const UniqueFd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    // Ended by a reset: otherwise the ports would be used up by those that wait for stragglers.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        const UniqueFd server{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
    }
}

int connect_for(int milliseconds, int pause) {
    const UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(listener.get(), 128) != 0 ||
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return 1;
    }
    const auto begun = Clock::now();
    for (auto now = begun; now - begun < std::chrono::milliseconds{milliseconds};
         now = Clock::now()) {
        const auto turn = pause > 0 ? (now - begun) / std::chrono::milliseconds{pause} : 0;
        if (turn % 2 == 0) {
            connect_once(listener.get(), address);
        } else {
            ::usleep(1000);  // the storm's own shape, not a wait for anything
        }
    }
    return 0;
}

int execute_for(int milliseconds) {
    const auto end = Clock::now() + std::chrono::milliseconds{milliseconds};
    while (Clock::now() < end) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::execl("/bin/true", "true", nullptr);
            ::_exit(127);
        }
        ::waitpid(pid, nullptr, 0);
    }
    return 0;
}

}  // namespace

std::vector<Subprocess> start_file_storm(const fs::path& folder,
                                         int writers,
                                         int files,
                                         int every) {
    std::vector<Subprocess> all;
    const int share = files / writers;
    for (int writer = 0; writer < writers; ++writer) {
        all.push_back(start_self({"--storm-files",
                                  (folder / fmt::format("w{}", writer)).native(),
                                  std::to_string(writer * share),
                                  std::to_string(share),
                                  std::to_string(every)}));
    }
    return all;
}

Subprocess start_connect_storm(int milliseconds, int pause) {
    return start_self({"--storm-connect", std::to_string(milliseconds), std::to_string(pause)});
}

Subprocess start_exec_storm(int milliseconds) {
    return start_self({"--storm-exec", std::to_string(milliseconds)});
}

int run_storm_or_tests(int argc, char** argv) {
    const std::string_view kind = argc > 2 ? argv[1] : "";
    if (kind == "--storm-files") {
        return write_files(argv + 2);
    }
    if (kind == "--storm-connect") {
        return connect_for(std::atoi(argv[2]), std::atoi(argv[3]));
    }
    if (kind == "--storm-exec") {
        return execute_for(std::atoi(argv[2]));
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}

int count_files(const fs::path& folder, const std::string& prefix) {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        count += entry.is_regular_file() && entry.path().filename().native().starts_with(prefix);
    }
    return count;
}

Sysctl::Sysctl(fs::path file, const std::string& value)
    : file_(std::move(file)), before_(read_text(file_)) {
    write_file(file_, value);
}

Sysctl::~Sysctl() {
    write_file(file_, before_);
}

}  // namespace vigia::test
