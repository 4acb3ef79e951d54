// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/fact.h"

namespace vigia {

struct CgroupLimit {
    std::uint64_t bytes = 0;
    std::string file = {};  // that says so

    bool operator==(const CgroupLimit&) const = default;
};

// All in bytes.
struct MemoryFacts {
    Fact<std::uint64_t> total = {};
    Fact<std::uint64_t> available = {};
    Fact<std::optional<CgroupLimit>> limit = {};  // the tightest on the way up; nothing: unlimited
    Fact<std::uint64_t> usable = {};              // the smaller of total and limit
};

struct FanotifyLimits {
    Fact<std::uint64_t> max_user_groups = {};
    Fact<std::uint64_t> max_user_marks = {};
    Fact<std::uint64_t> max_queued_events = {};
};

// A fanotify group of another process.
struct FanotifyListener {
    pid_t pid = 0;
    std::string program = {};       // comm
    std::string executable = {};    // empty where its link cannot be read
    bool permission_class = false;  // may answer open and exec (content, pre-content)
    bool asks_permission = false;   // has a mark that does

    bool operator==(const FanotifyListener&) const = default;
};

// A running program that is known to scan, or to decide, on access.
struct OnAccessProgram {
    pid_t pid = 0;
    std::string program = {};
    std::string product = {};

    bool operator==(const OnAccessProgram&) const = default;
};

struct Listeners {
    std::vector<FanotifyListener> listeners = {};
    std::vector<OnAccessProgram> programs = {};
    std::size_t processes = 0;   // looked at
    std::size_t unreadable = 0;  // whose descriptors we may not see
    bool truncated = false;      // a bound was reached; there may be more
};

}  // namespace vigia
