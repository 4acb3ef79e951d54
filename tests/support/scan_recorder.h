// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "scan/scan_service.h"

namespace vigia::test {

// Remembers what a ScanService tells, for a test to wait for. Thread-safe.
class ScanRecorder {
public:
    struct Told {
        std::vector<scan::ScanService::Loss> losses;
        std::vector<scan::ScanService::Engine> ready;
        std::vector<scan::ScanService::LoadFailure> failures;
    };

    [[nodiscard]] scan::ScanService::Observer observer() {
        return {
            .on_loss = [this](const auto& loss) { note([&] { told_.losses.push_back(loss); }); },
            .on_ready =
                [this](const auto& engine) { note([&] { told_.ready.push_back(engine); }); },
            .on_load_failed =
                [this](const auto& failure) { note([&] { told_.failures.push_back(failure); }); }};
    }

    [[nodiscard]] Told told() {
        const std::scoped_lock lock(mutex_);
        return told_;
    }

    // False when it has not come true by the deadline.
    [[nodiscard]] bool wait(const std::function<bool(const Told&)>& condition,
                            std::chrono::seconds deadline = std::chrono::seconds{30}) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, deadline, [&] { return condition(told_); });
    }

    [[nodiscard]] bool wait_ready(std::size_t times = 1) {
        return wait([times](const Told& told) { return told.ready.size() >= times; });
    }

    [[nodiscard]] bool wait_failed(std::size_t times = 1) {
        return wait([times](const Told& told) { return told.failures.size() >= times; });
    }

private:
    void note(const std::function<void()>& add) {
        const std::scoped_lock lock(mutex_);
        add();
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Told told_;
};

// Polls every few milliseconds; false when it has not come true by the deadline.
[[nodiscard]] inline bool eventually(const std::function<bool()>& condition,
                                     std::chrono::seconds deadline = std::chrono::seconds{30}) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    return true;
}

// An anonymous file with this content.
[[nodiscard]] inline UniqueFd memory_file(std::string_view content) {
    UniqueFd file{::memfd_create("test", MFD_CLOEXEC)};
    const bool written =
        ::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size());
    return written ? std::move(file) : UniqueFd{};
}

// The file must outlive the scan.
[[nodiscard]] inline scan::ScanService::Request request_of(const UniqueFd& file) {
    return {.file = file.get(),
            .size = static_cast<std::uint64_t>(::lseek(file.get(), 0, SEEK_END)),
            .timeout = std::chrono::milliseconds{20'000},
            .queue_timeout = std::chrono::milliseconds{30'000}};
}

}  // namespace vigia::test
