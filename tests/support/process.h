// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vigia::test {

struct Output {
    int exit = -1;  // exit status; 128 + signal; -1: not started or out of time
    std::string out = {};
    std::string err = {};
};

// Runs a program to its end, with what it printed. Killed at the deadline.
[[nodiscard]] Output run(const std::filesystem::path& program,
                         const std::vector<std::string>& arguments,
                         std::chrono::milliseconds timeout = std::chrono::seconds{60});

// Asks again, every few milliseconds, until it is true or the deadline has passed.
[[nodiscard]] bool eventually(const std::function<bool()>& condition,
                              std::chrono::milliseconds timeout = std::chrono::seconds{30});

// Where the programs of a preset are.
[[nodiscard]] std::filesystem::path dev_program(const std::string& name);

}  // namespace vigia::test
