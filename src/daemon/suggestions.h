// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/program_costs.h"
#include "policy/edit.h"

namespace vigia::daemon {

// A rule that would take load away, and what speaks against it.
struct Suggestion {
    policy::ExclusionRule rule;
    std::string program;       // whose load it is
    std::string user = {};     // who runs it
    double share = 0;          // of the load of all, that it would take away; 0 to 1
    std::string warning = {};  // as ProgramLoad::warning
    std::string command = {};  // that puts it in force, for a shell
};

// What can be asked of the host and of the policy.
struct Advisor {
    std::function<bool(const std::string& path)> others_write;  // to it or a folder above it
    // Left out already: a program, a folder.
    std::function<bool(const policy::ExclusionRule& rule)> is_excluded;
    std::function<bool(const std::string& set)> set_exists;
    std::function<bool(const std::string& program)> is_ours;
    std::string program = "vigia";  // with --prefix where that is needed
    std::chrono::sys_days today{};
};

// "shell", "interpreter", "package-manager", "world-writable"; empty: none. To leave out a program
// that runs whatever it is given, or that anybody can replace, is to leave out anything.
[[nodiscard]] std::string warning_of(std::string_view program,
                                     const std::function<bool(const std::string&)>& others_write);

// The command that leaves this program out, and the warning; none for a row without a path, for
// what is left out already, for our own, and for paths that a policy cannot hold.
[[nodiscard]] ProgramLoad advised(ProgramLoad load, const Advisor& advisor);

// Programs first to last by what they cost over some ten minutes, and beside each the folder that
// it writes most of its files to. At most kMostSuggestions, those that take most away first.
inline constexpr std::size_t kMostSuggestions = 10;
[[nodiscard]] std::vector<Suggestion> suggest(const ProgramCosts::Report& report,
                                              const Advisor& advisor);

// Anybody may write to the file, or put another into one of the folders above it. Sticky folders
// are no exception: what is not there yet can be made by anybody.
[[nodiscard]] bool others_may_write(const std::string& path);

}  // namespace vigia::daemon
