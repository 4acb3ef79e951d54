// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "model/sha256.h"

namespace vigia {

enum class FileMode : std::uint8_t { Audit, Quarantine };
enum class ExecMode : std::uint8_t { Off, Audit, Block };
enum class TimeoutAnswer : std::uint8_t { Allow, Deny };
enum class NetworkMode : std::uint8_t { Audit, Block };
enum class MemfdExecute : std::uint8_t { Audit, Kill };
enum class ProcessTelemetry : std::uint8_t { Launch, Terminate };
enum class NetworkTelemetry : std::uint8_t { Open, Close };

struct ProcessExclusion {
    std::string path;
    std::string user = {};  // empty: any
    bool children = false;
};

struct ExclusionSet {
    std::string name;
    std::string reason = {};
    std::optional<std::chrono::sys_days> expires = {};  // in force until the start of this day, UTC
    std::vector<std::string> paths = {};
    std::vector<std::string> wildcards = {};
    std::vector<std::string> extensions = {};
    std::vector<std::string> threats = {};
    std::vector<ProcessExclusion> processes = {};
};

struct DefinitionSource {
    std::string kind;                       // "clamav", "folder", "https"
    std::vector<std::string> mirrors = {};  // clamav
    std::string path = {};                  // folder
    std::string url = {};                   // https
};

struct SinkConfig {
    std::string kind;          // "jsonl", "journald", "syslog", "otlp", "nats"
    std::string path = {};     // jsonl
    std::string address = {};  // network sinks
    std::uint64_t rotate_bytes = std::uint64_t{100} * 1024 * 1024;
    unsigned keep = 5;
};

struct ScanSchedule {
    std::string kind;  // "flash", "full"
    std::string at;    // "daily 02:30"
};

struct FaultOverride {
    int id = 0;
    std::optional<std::chrono::milliseconds> window = {};
    std::optional<unsigned> threshold = {};
    std::optional<std::chrono::milliseconds> raise_after = {};
    std::optional<std::chrono::milliseconds> clear_after = {};
    std::optional<std::chrono::milliseconds> quiet_after = {};  // the same while it flaps
};

// A validated policy. Immutable once built; shared as std::shared_ptr<const Policy> and swapped
// whole. Defaults are those of a policy file that says nothing (docs/POLICY.md).
struct Policy {
    std::string name = "Default";
    std::uint64_t serial = 0;

    struct Files {
        bool monitor_copies_and_moves = true;
        FileMode mode = FileMode::Quarantine;
        ExecMode on_execute = ExecMode::Off;
        std::chrono::milliseconds on_execute_timeout{2000};
        TimeoutAnswer on_timeout = TimeoutAnswer::Allow;
        std::vector<std::string> watch = {"/"};  // absolute, normalised
        std::uint64_t max_file_size = std::uint64_t{100} * 1024 * 1024;
        bool archives = true;
    } files;

    struct Network {
        bool device_flow_correlation = true;
        NetworkMode mode = NetworkMode::Audit;
        std::vector<std::string> block = {};
        std::vector<std::string> allow = {};
        std::vector<std::string> block_files = {};  // absolute; a network on each line
        std::vector<std::string> allow_files = {};
        bool loopback = false;  // connections of this machine with itself, too
        std::vector<NetworkTelemetry> events = {NetworkTelemetry::Open, NetworkTelemetry::Close};
    } network;

    struct Processes {
        bool monitor = true;
        MemfdExecute memfd_execute = MemfdExecute::Audit;
        bool capture_command_line = true;
        std::vector<std::string> redact = {};
        std::vector<ProcessTelemetry> events = {ProcessTelemetry::Launch,
                                                ProcessTelemetry::Terminate};
    } processes;

    std::vector<ExclusionSet> exclusions = {};

    struct Hashes {
        std::unordered_set<Sha256> block = {};
        std::unordered_set<Sha256> allow = {};
    } hashes;

    struct Definitions {
        std::vector<DefinitionSource> sources = {};
        std::chrono::milliseconds check_every = std::chrono::hours{1};
        unsigned keep_generations = 3;
    } definitions;

    struct Scan {
        std::optional<unsigned> workers = {};             // nothing: "auto"
        std::chrono::milliseconds file_timeout{120'000};  // then the worker is killed
        std::vector<ScanSchedule> schedule = {};
        unsigned cpu_budget_percent = 25;  // of the machine
        std::chrono::milliseconds selftest_every = std::chrono::minutes{5};
    } scan;

    // When less is looked at, so that the host stays quick (src/overload/).
    struct Overload {
        unsigned reduce_percent = 50;          // of a queue that is full, level 1 begins
        unsigned critical_percent = 90;        // level 2
        std::uint64_t reduce_events = 20'000;  // a second, offered
        std::uint64_t critical_events = 60'000;
        std::chrono::milliseconds scan_delay = std::chrono::minutes{5};  // of the oldest that waits
        unsigned cpu_percent = 50;  // of the machine, by us, while others wait for it
        std::chrono::milliseconds rise_after{2000};    // pressure lasts so long
        std::chrono::milliseconds calm_after{10'000};  // calm lasts so long
        bool full_walk = true;  // afterwards, where ctime does not say what changed
    } overload;

    struct Journal {
        std::uint64_t max_bytes = std::uint64_t{512} * 1024 * 1024;
        std::chrono::hours max_age{24 * 90};
    } journal;

    struct Faults {
        bool self_heal = true;
        bool install_packages = false;
        std::vector<FaultOverride> overrides = {};
    } faults;

    std::vector<SinkConfig> sinks = {};
};

}  // namespace vigia
