// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia {

// A child of ours, held by pidfd: signals cannot hit somebody who got its number later. Killed and
// reaped by the destructor if it still runs. Not thread-safe; movable.
class Subprocess {
public:
    struct Options {
        std::filesystem::path program;
        std::vector<std::string> arguments;                 // without argv[0]
        std::vector<std::pair<int, int>> descriptors = {};  // {ours, its number in the child}, ≥ 0
        // Everything else is closed, standard input, output and error are /dev/null unless listed,
        // signal masks and handlers are reset, the environment is empty but for PATH and LANG=C.
    };

    // A program that cannot be executed is an error here, with the errno of exec.
    [[nodiscard]] static Result<Subprocess> start(const Options& options);

    Subprocess(Subprocess&& other) noexcept;
    Subprocess& operator=(Subprocess&& other) noexcept;
    Subprocess(const Subprocess&) = delete;
    Subprocess& operator=(const Subprocess&) = delete;
    ~Subprocess();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    // Readable (POLLIN) once the child has ended.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }

    // The signal is not sent to a child already reaped.
    void kill(int signal) noexcept;

    // Its wait status once it has ended within the timeout; nothing if it still runs.
    [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds timeout);

    // The most memory it has had resident, in bytes, once it has been reaped; else 0.
    [[nodiscard]] std::uint64_t peak_memory() const noexcept { return peak_memory_; }

private:
    Subprocess(pid_t pid, UniqueFd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}

    pid_t pid_ = -1;
    UniqueFd pidfd_;
    std::optional<int> status_;
    std::uint64_t peak_memory_ = 0;
};

// "exit status 1", "signal 11 (Segmentation fault)"
[[nodiscard]] std::string describe_wait_status(int status);

}  // namespace vigia
