// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/process.h"

// What /proc says of processes. Start times are rounded down to clock ticks (10 ms).
namespace vigia::sensors {

// Field 22 and others of proc_pid_stat(5); nothing if it is not of that form. Pure.
struct ProcStat {
    pid_t pid = 0;
    std::string_view comm;  // points into the text
    pid_t parent = 0;
    std::uint64_t start_ns = 0;
    bool kernel_thread = false;
    bool zombie = false;
};

[[nodiscard]] std::optional<ProcStat> parse_stat(std::string_view text);

// One process, nothing when it has gone. The program's path is where its link leads now.
[[nodiscard]] std::optional<ProcessInfo> read_process(pid_t pid);

// All that there are now.
[[nodiscard]] std::vector<ProcessInfo> read_processes();

// Which program a process runs now and for whom: a part of the above that waits for nothing, for
// threads that may not. Nothing when it has gone, and of the kernel's own.
struct Runner {
    std::string path = {};
    uid_t uid = 0;  // real
    pid_t parent = 0;
    std::uint64_t start_ns = 0;
};

[[nodiscard]] std::optional<Runner> read_runner(pid_t pid);

// All numbers there are now.
[[nodiscard]] std::vector<pid_t> list_pids();

// Who has which socket open: inode of the socket → one holder. Reads every descriptor of every
// process; stops as soon as all of `wanted` are found.
[[nodiscard]] std::map<std::uint64_t, pid_t> holders_of(std::set<std::uint64_t> wanted);

}  // namespace vigia::sensors
