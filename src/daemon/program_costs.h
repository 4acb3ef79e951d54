// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "daemon/program_table.h"
#include "model/process.h"
#include "model/program_load.h"

namespace vigia::daemon {

// Which program costs us what: file events by the process that fanotify names, other events by the
// kernel's own counters (or by process, where the kernel does not let us count), scans by who
// wrote the file. A process number is looked up once a second at most, so that one that was given
// to somebody else, or a process that became another program, is noticed; no more than
// kLooksPerSecond are looked up while the event waits, the others, and those that have ended by
// then, are asked of the memory of processes a moment later. What nobody knows is one row without
// a path. Thread-safe; never waits for a disk.
class ProgramCosts {
public:
    static constexpr unsigned kLooksPerSecond = 500;  // some 20 µs each: a hundredth of a processor

    struct Hooks {
        std::function<std::optional<ProgramKey>(pid_t)> running;        // what it runs now
        std::function<std::optional<ProgramKey>(pid_t, BootTime)> ran;  // what it ran last, by then
        std::function<std::string(std::uint32_t)> user_name;            // empty: not known
    };

    explicit ProgramCosts(Hooks hooks) : hooks_(std::move(hooks)) {}

    // From the sensors' threads. A pid of 0 is nobody's: what we looked for ourselves.
    void on_file(pid_t pid, BootTime at, std::string_view path);
    void on_event(pid_t pid, BootTime at);

    // A worker was busy so long with what this process had written.
    void on_scan(pid_t pid, BootTime at, std::chrono::nanoseconds busy);

    // What the kernel has counted since its sensor was opened.
    struct Counted {
        ProgramId program = {};
        ProgramKey key = {};  // an empty path: not known
        std::uint64_t events = 0;
        std::uint64_t started = 0;
    };

    void on_counted(const std::vector<Counted>& all);

    // Gives what waits to who caused it. To be called every few seconds.
    void settle();

    struct Program {
        ProgramLoad load;          // without advice
        double lasting_share = 0;  // the same over some ten minutes
        std::vector<BusyFolders::Folder> folders = {};
    };

    struct Report {
        std::vector<Program> programs;  // most expensive of the last ten seconds first
        ProgramLoad others;             // of programs that found no room in the table
        std::uint64_t displaced = 0;    // so many, ever
    };

    [[nodiscard]] Report report();

private:
    struct Known {
        ProgramKey program;
        BootTime looked_at{};
        BootTime used_at{};
    };

    struct Waiting {
        BootTime at{};
        Cost cost;
        std::string folder;
    };

    void note(pid_t pid, BootTime at, const Cost& cost, std::string_view folder);
    [[nodiscard]] bool may_look(BootTime now);
    void remember(pid_t pid, ProgramKey program, BootTime now);
    void wait_for(pid_t pid, BootTime at, const Cost& cost, std::string_view folder);
    void settle_before(BootTime limit, BootTime now);
    [[nodiscard]] unsigned processes_of(const ProgramKey& program, BootTime now) const;

    const Hooks hooks_;
    std::mutex mutex_;  // guards all below
    ProgramTable table_;
    std::unordered_map<pid_t, Known> known_;
    std::unordered_map<pid_t, Waiting> waiting_;
    std::map<std::pair<ProgramId, std::uint32_t>, Counted> counted_;
    std::int64_t second_ = 0;
    unsigned looks_ = 0;  // in that second
};

}  // namespace vigia::daemon
