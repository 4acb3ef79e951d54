// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "daemon/file_monitor.h"
#include "daemon/kernel_monitor.h"
#include "daemon/pipeline.h"
#include "daemon/policy_store.h"
#include "daemon/reporter.h"
#include "daemon/walker.h"
#include "model/facts.h"
#include "model/program_load.h"
#include "model/status.h"
#include "overload/levels.h"

namespace vigia::daemon {

// Measures how hard it is to keep up, says at which level we are, and has the parts look at less
// while it is too hard (src/overload/). Fault 18 is judged by what it describes. Whoever calls
// look() has a timer anyway: nobody is woken for it.
class OverloadMonitor {
public:
    struct Parts {
        const PolicyStore& policies;
        Reporter& reporter;
        Pipeline& pipeline;
        Walker& walker;
        FileMonitor& monitor;
        KernelMonitor& kernel;
        std::function<bool()> scans;  // somebody could judge what waits
        // Who causes the load, busiest first.
        std::function<std::vector<ProgramLoad>()> busiest;
        std::function<void()> changed;  // the level, or what is owed; must not block
    };

    explicit OverloadMonitor(Parts parts);

    // The run before ended while something that was put off had not been looked at: goes on with
    // it. Once, before the first look(). True if there was such a thing.
    bool restore();

    // Every half second, on one thread.
    void look();

    // From the walker: something has been made up for.
    void on_caught_up(const Walker::Report& report);

    // Any thread, as those that follow: the kernel's queue of file events ran over.
    void on_overflow();

    // There is a storm, or something was lost a moment ago and we have not looked yet.
    [[nodiscard]] bool is_busy() const;

    void describe(Facts& facts) const;
    void report(Status& status) const;

private:
    // Counters that grow, at one moment.
    struct Sample {
        BootTime at{};
        std::uint64_t files = 0;  // that changed, wanted and not excluded
        std::uint64_t judged = 0;
        std::uint64_t deferred = 0;
        std::uint64_t overflows = 0;
        sensors::KernelSensor::Load kernel = {};
        std::chrono::nanoseconds cpu{0};
    };

    struct Rates {
        double offered = 0;
        double delivered = 0;
        double deferred = 0;
        double cpu = 0;
    };

    [[nodiscard]] Sample sample() const;
    [[nodiscard]] overload::Pressure measure(const Sample& now);
    void carry_out(const overload::Levels::Change& change, const Policy::Overload& limits);
    void remember_debt(const Walker::State& walker);
    void note_storm(const Walker::State& walker);
    void begin_episode(BootTime now);
    [[nodiscard]] std::uint64_t overflows_of_episode() const;

    const Parts parts_;
    const unsigned processors_;
    // The looking thread's.
    overload::Levels levels_;
    std::optional<Sample> last_;
    bool debt_remembered_ = false;
    bool overflow_told_ = false;
    std::optional<BootTime> looked_at_programs_;

    std::atomic<std::int64_t> overflow_at_ns_ = 0;  // boot time
    std::atomic<bool> paid_ = false;                // a debt, since the last look

    mutable std::mutex mutex_;  // guards what follows
    bool known_ = false;
    overload::Pressure pressure_;
    Rates rates_;
    unsigned level_ = 0;
    overload::Excess why_;
    std::optional<WallTime> level_since_;
    std::uint64_t changes_ = 0;
    std::optional<BootTime> episode_;       // since when something is too much, or owed
    Rates peak_;                            // of the episode
    std::uint64_t overflows_ = 0;           // since start
    std::uint64_t overflows_before_ = 0;    // the episode
    std::uint64_t overflows_restored_ = 0;  // of the run before, in the same episode
    std::uint64_t lost_ = 0;                // of the episode
    std::vector<ProgramLoad> programs_;
    bool culprit_ = false;
    std::vector<BootTime> storms_;
};

}  // namespace vigia::daemon
