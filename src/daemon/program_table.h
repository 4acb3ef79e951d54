// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace vigia::daemon {

// What something cost us. Scan time is that of workers.
struct Cost {
    std::uint64_t events = 0;
    std::uint64_t scans = 0;
    std::chrono::nanoseconds scanning{};
    std::uint64_t started = 0;  // processes that began to run the program

    Cost& operator+=(const Cost& more);

    // Seconds of a processor, estimated: events are given a price of their own, because a storm of
    // files that need no scan (known content, filtered) is load too.
    [[nodiscard]] double seconds() const;
};

// Of the order of what a small file costs from the sensor to a verdict that is known already
// (opening, copying, hashing); an event that is filtered costs less. It only has to be small beside
// a scan (1 ms and more) and not nothing.
inline constexpr double kSecondsPerEvent = 100e-6;

// Costs of the last ten seconds, in a slot for each second.
class CostWindow {
public:
    static constexpr std::chrono::seconds kLength{10};

    void add(const Cost& cost, BootTime now);
    [[nodiscard]] Cost sum(BootTime now) const;
    void add(const CostWindow& more);

private:
    struct Slot {
        std::int64_t second = -1;
        Cost cost;
    };

    std::array<Slot, static_cast<std::size_t>(kLength.count())> slots_{};
};

// A sum that fades: what is ten minutes old counts a third. For advice, which is asked for when the
// storm is over.
class FadingCost {
public:
    static constexpr std::chrono::minutes kFades{10};

    void add(const Cost& cost, BootTime now);
    [[nodiscard]] double seconds(BootTime now) const;

private:
    double seconds_ = 0;
    BootTime at_{};
};

// The folders that are written to most, in bounded memory: the least of them gives way to a new
// one, which inherits its count (so a count is too high by that at most, and what is really written
// to often is never missed). Halved now and then: what was is forgotten.
class BusyFolders {
public:
    static constexpr std::size_t kMost = 16;

    void add(std::string_view folder, std::uint64_t times, BootTime now);

    struct Folder {
        std::string path;
        double part = 0;  // of all that was added, 0 to 1, at most
    };

    // Most first.
    [[nodiscard]] std::vector<Folder> list() const;

private:
    struct Entry {
        std::string path;
        std::uint64_t times = 0;
    };

    std::vector<Entry> entries_;
    std::uint64_t all_ = 0;
    BootTime halved_at_{};
};

// A program is an executable and who runs it. An empty path: nobody knows which.
struct ProgramKey {
    std::string path;
    std::uint32_t uid = 0;

    bool operator==(const ProgramKey&) const = default;
};

// Costs by program. Bounded: the one that cost least of late gives way to a new one, and what it
// cost is kept in one row of all those. Not thread-safe; pure.
class ProgramTable {
public:
    explicit ProgramTable(std::size_t most = 1024) : most_(most) {}

    // An empty folder: none is told.
    void add(const ProgramKey& program, const Cost& cost, std::string_view folder, BootTime now);

    struct Row {
        ProgramKey program;
        Cost recent;          // of the window
        double recent_share;  // of the cost of all in the window
        double lasting;       // fading seconds
        double lasting_share;
        std::vector<BusyFolders::Folder> folders;
    };

    struct Rows {
        std::vector<Row> programs;    // with a cost; the most expensive in the window first
        Cost others;                  // of the window: of those that gave way
        double others_share = 0;      // of the window
        std::uint64_t displaced = 0;  // programs that gave way, ever
    };

    [[nodiscard]] Rows rows(BootTime now) const;

    [[nodiscard]] std::size_t size() const { return programs_.size(); }

private:
    struct Entry {
        CostWindow recent;
        FadingCost lasting;
        BusyFolders folders;
    };

    struct Hash {
        std::size_t operator()(const ProgramKey& key) const noexcept;
    };

    void displace_one(BootTime now);

    std::size_t most_;
    std::unordered_map<ProgramKey, Entry, Hash> programs_;
    CostWindow others_;
    std::uint64_t displaced_ = 0;
};

}  // namespace vigia::daemon
