// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "wire/scan_protocol.h"

namespace vigia::test {

// A read-only descriptor, as the daemon hands it over. A failure of the test if it cannot be had.
[[nodiscard]] UniqueFd open_to_read(const std::filesystem::path& path);

// Plays the daemon to a real worker of vigia-scand.
struct ScanWorker {
    std::uint32_t slot = 0;
    pid_t pid = 0;
    UniqueFd socket = {};
    UniqueFd pidfd = {};

    // Nothing: the worker died, or did not answer in time.
    [[nodiscard]] std::optional<wire::ScanDone> scan(
        const std::filesystem::path& file,
        std::chrono::milliseconds timeout = std::chrono::seconds{30}) const;
    [[nodiscard]] std::optional<wire::ScanDone> scan(
        int file, std::chrono::milliseconds timeout = std::chrono::seconds{30}) const;
};

// Plays the daemon to a real vigia-scand. A step that goes wrong is a failure of the test.
class ScanZygote {
public:
    struct Options {
        std::filesystem::path program;
        std::string user = "nobody";
        std::uint64_t worker_memory = std::uint64_t{1} << 30U;
        std::uint64_t temporary_space = std::uint64_t{64} << 20U;
    };

    explicit ScanZygote(Options options);

    // Orders it to load, and waits for what it says: Loaded or LoadFailed.
    [[nodiscard]] wire::FromZygote load(const std::vector<std::filesystem::path>& folders);

    [[nodiscard]] ScanWorker spawn(std::uint32_t slot);

    // Its next message; nothing when it has closed or says nothing in time.
    [[nodiscard]] std::optional<wire::FromZygote> next(
        std::chrono::milliseconds timeout = std::chrono::seconds{30});

    [[nodiscard]] Subprocess& process() { return *process_; }

    [[nodiscard]] UniqueFd& socket() { return socket_; }

private:
    Options options_;
    UniqueFd socket_;
    std::optional<Subprocess> process_;
};

// The value of "Name:\t…" in /proc/PID/status.
[[nodiscard]] std::string status_of(pid_t pid, const std::string& name);

}  // namespace vigia::test
