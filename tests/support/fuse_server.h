// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <filesystem>
#include <span>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace vigia::test {

// A file system in user space with one file, "file", served by a thread. It can be told to answer
// no more requests to open a file for reading, as a hostile or a hanging one would. Ends (and lets
// all that hangs go) with the object.
class FuseServer {
public:
    explicit FuseServer(const std::filesystem::path& point);
    FuseServer(const FuseServer&) = delete;
    FuseServer& operator=(const FuseServer&) = delete;
    ~FuseServer();

    // "" or why there is none: no /dev/fuse, mount refused.
    [[nodiscard]] const std::string& problem() const { return problem_; }

    void hang_readers() { hangs_ = true; }

    // Is anybody kept waiting?
    [[nodiscard]] bool has_caught_one() const { return caught_; }

private:
    void serve();
    void answer(std::span<const char> request);
    void reply(std::uint64_t to, int error, std::span<const char> body);

    std::filesystem::path point_;
    std::string problem_;
    UniqueFd device_;
    UniqueFd stop_;
    std::atomic<bool> hangs_ = false;
    std::atomic<bool> caught_ = false;
    std::thread thread_;
};

}  // namespace vigia::test
