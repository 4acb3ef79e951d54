// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/flow.h"

// What processes and connections do, and who did something, as events tell it. Values only.
namespace vigia {

// A process as it was at that moment. Paths, names and command lines are bytes as found.
struct ProcessFacts {
    std::int64_t pid = 0;
    std::optional<WallTime> started = {};
    std::string name = {};          // as the kernel shows it (comm)
    std::string path = {};          // of the program; empty: not known
    std::string command_line = {};  // secrets replaced; empty: not taken
    std::optional<std::uint32_t> uid = {};
    std::string user = {};  // its name; empty: not known
};

// Who it was and who started it: the parent first.
struct ProcessLine {
    ProcessFacts process = {};
    std::vector<ProcessFacts> ancestors = {};
};

enum class ProcessPhase : std::uint8_t { Launched, Terminated };

// 1007
struct ProcessBody {
    ProcessPhase phase = ProcessPhase::Launched;
    ProcessLine who = {};
    std::string called_as = {};  // Launched: what execve was given
    std::optional<int> exit_code = {};
    std::optional<int> signal = {};  // that ended it
    bool memory_file = false;        // the program never had a name
    bool unlinked = false;
    bool ended_by_policy = false;  // before its first instruction (memfd_execute)
    std::uint64_t cgroup = 0;
    std::uint32_t mount_namespace = 0;  // 0: not known
    std::uint32_t pid_namespace = 0;
};

enum class NetworkPhase : std::uint8_t { Opened, Failed, Closed };

// What is the same in every event about a flow.
struct FlowFacts {
    ProcessLine owner = {};
    OwnerSource owner_source = OwnerSource::None;
    FlowDirection direction = FlowDirection::Unknown;
    std::uint8_t protocol = 0;  // IP protocol number
    Endpoint local = {};
    Endpoint remote = {};
    std::uint64_t id = 0;  // the same from begin to end; 0: begin was not seen
};

// 4001
struct NetworkBody {
    NetworkPhase phase = NetworkPhase::Opened;
    FlowFacts flow = {};
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::optional<std::chrono::nanoseconds> duration = {};  // Closed: nothing where not known
    int error = 0;                                          // Failed: errno
};

// 2004: an address of the block list was met.
struct FlowDetectionBody {
    FlowFacts flow = {};
    bool refused = false;        // else only seen
    std::string action = {};     // what policy decided: "audit", "block"
    ListStop stop = {};          // where it was met
    std::uint64_t repeated = 0;  // the same since it was last told
};

}  // namespace vigia
