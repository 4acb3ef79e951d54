// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "support/process.h"

namespace vigia::test {

// One daemon under a prefix of its own. Ended (SIGTERM, then SIGKILL, by pidfd) with the object.
class Instance {
public:
    struct Options {
        std::filesystem::path prefix;
        std::vector<std::string> watch;
        std::string more_files = {};                // lines of [files]
        std::string more = {};                      // further sections of the policy
        std::vector<std::string> environment = {};  // "NAME=value", beyond PATH and LANG
        // A program that becomes the daemon, and its arguments: setpriv(1) takes something away.
        std::vector<std::string> through = {};
        std::filesystem::path programs = {};  // of the daemon; empty: those of this build
    };

    explicit Instance(Options options);

    // Starts the daemon; with `wait`, until the first self-test has passed.
    [[nodiscard]] testing::AssertionResult start(bool wait = true);
    void kill(int signal);

    // Its wait status, once it has ended.
    [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds timeout);

    [[nodiscard]] Output cli(std::vector<std::string> arguments) const;
    [[nodiscard]] nlohmann::json json(std::vector<std::string> arguments) const;  // --json added
    [[nodiscard]] std::vector<nlohmann::json> events(const std::string& cls = "") const;

    [[nodiscard]] nlohmann::json status() const { return json({"status"}); }

    // Nothing pending, no catch-up under way.
    [[nodiscard]] bool settled() const;

    [[nodiscard]] std::vector<pid_t> workers() const;

    void write_policy() const;
    void write_policy(const std::string& text) const;
    [[nodiscard]] std::filesystem::path path(const std::string& below) const;

    [[nodiscard]] pid_t pid() const { return daemon_ ? daemon_->pid() : -1; }

private:
    Options options_;
    std::optional<Subprocess> daemon_;
};

// Children of a process, by /proc.
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);
[[nodiscard]] std::string program_of(pid_t pid);

}  // namespace vigia::test
