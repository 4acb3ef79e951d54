// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/clock.h"

namespace vigia {

// A process (thread group) by its number in the initial pid namespace and the moment it began,
// which tells it from a later one of the same number. A start of 0 is unknown. Where it comes from
// /proc it is rounded down to clock ticks (10 ms).
struct ProcessKey {
    pid_t pid = 0;               // 0: none
    std::uint64_t start_ns = 0;  // CLOCK_BOOTTIME

    auto operator<=>(const ProcessKey&) const = default;
};

// Which file a process runs. 0/0: none known.
struct ProgramId {
    std::uint64_t device = 0;  // as the kernel numbers it, not as stat(2) does
    std::uint64_t inode = 0;

    auto operator<=>(const ProgramId&) const = default;
};

// As short as it is sent with every event: who it is.
struct ProcessOwner {
    ProcessKey key = {};
    uid_t uid = 0;
    std::uint64_t cgroup = 0;  // id in the v2 hierarchy
    ProgramId program = {};
    std::string comm = {};

    bool operator==(const ProcessOwner&) const = default;
};

struct Credentials {
    uid_t uid = 0, euid = 0, suid = 0;
    gid_t gid = 0, egid = 0, sgid = 0;
    std::uint64_t capabilities = 0;             // effective
    std::optional<uid_t> login_uid = {};        // who logged in (audit)
    std::optional<std::uint32_t> session = {};  // of audit

    bool operator==(const Credentials&) const = default;
};

// Inode numbers of the namespaces; 0 unknown.
struct Namespaces {
    std::uint32_t mount = 0;
    std::uint32_t pid = 0;
    std::uint32_t network = 0;
    pid_t pid_inside = 0;  // the process's number there

    bool operator==(const Namespaces&) const = default;
};

// What a process is since its last exec. Names and arguments are bytes as found.
struct ProcessInfo {
    ProcessOwner who = {};
    ProcessKey parent = {};
    Credentials credentials = {};
    Namespaces namespaces = {};
    std::string path = {};       // of the file, in its mount namespace; empty: not told
    std::string called_as = {};  // what execve was given; may be relative
    std::string arguments = {};  // NUL between them; at most what the sensor was told to take
    std::uint32_t arguments_total = 0;  // bytes there were
    std::uint16_t file_mode = 0;
    bool path_cut = false;       // the path is longer, this is its end
    bool unlinked = false;       // the file has no name any more
    bool memory_file = false;    // and never had one (memfd)
    bool kernel_thread = false;  // snapshot only
    bool forked_only = false;    // has not executed anything: all but who it is is its parent's

    bool operator==(const ProcessInfo&) const = default;
};

struct ProcessExec {
    ProcessInfo process;
    BootTime at{};
    bool by_thread = false;  // not the first thread called execve
    bool killed = false;     // before its first instruction, by the policy for memory files

    bool operator==(const ProcessExec&) const = default;
};

struct ProcessFork {
    ProcessOwner child;
    ProcessKey parent;
    pid_t creator = 0;  // who called fork; with CLONE_PARENT not the parent
    BootTime at{};

    bool operator==(const ProcessFork&) const = default;
};

struct ProcessExit {
    ProcessOwner process;
    ProcessKey parent;
    int wait_status = 0;  // as waitpid(2) gives it; -1 unknown
    BootTime at{};

    bool operator==(const ProcessExit&) const = default;
};

using ProcessEvent = std::variant<ProcessExec, ProcessFork, ProcessExit>;

}  // namespace vigia
