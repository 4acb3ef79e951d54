// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/exclusion_effects.h"
#include "daemon/file_monitor.h"
#include "daemon/program_costs.h"
#include "daemon/responder.h"
#include "daemon/trace.h"
#include "daemon/walker.h"
#include "daemon/writers.h"
#include "scan/examiner.h"
#include "scan/scan_queue.h"

namespace vigia::daemon {

// An object opened for judging, or why not.
struct Opened {
    UniqueFd file = {};     // O_RDONLY on a regular file
    std::string path = {};  // best known name: the hint where it still leads to the object
    std::string skip = {};  // why it is left out: "vanished", "not-regular", …; empty: judge it
};

// From an activity of the sensor to what is done about it: coalescing queue, then lanes that open
// the object, check the exclusions, have it examined and hand the verdict to the responder.
// Opening foreign files can hang, so it happens on lanes only; a lane that does not come back is
// noticed by stalled_for().
class Pipeline {
public:
    struct Parts {
        const PolicyStore& policies;
        const FileMonitor& monitor;
        scan::Examiner& examiner;
        Responder& responder;
        Walker& walker;
        Reporter& reporter;
        Trace& trace;
        ProgramCosts& costs;
        Writers& writers;
        ExclusionEffects& effects;
    };

    struct Counters {
        std::uint64_t offered = 0;  // activities
        std::uint64_t merged = 0;   // into an entry that was pending already
        std::uint64_t judged = 0;
        std::uint64_t deferred = 0;  // did not fit; the catch-up brings them back
        std::uint64_t failed = 0;    // no verdict after all attempts
        std::uint64_t unscannable = 0;
        std::map<std::string, std::uint64_t> skipped;  // by reason
        std::optional<WallTime> last_scan;
    };

    Pipeline(Parts parts, scan::ScanQueue::Options queue, unsigned lanes);
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;
    ~Pipeline();

    void start();

    // From the sensor's thread and the walker's; never blocks.
    void offer(FileActivity&& activity);

    // The kernel lost events: whatever changed from a little before now on has to be looked for.
    void on_overflow();

    [[nodiscard]] bool has_room() const;

    // Nothing pending and nothing being judged.
    [[nodiscard]] bool idle() const;

    // How long the oldest work under way has shown no progress; zero when there is none.
    [[nodiscard]] std::chrono::nanoseconds stalled_for() const;

    [[nodiscard]] std::size_t pending() const { return queue_.pending() + queue_.in_flight(); }

    [[nodiscard]] Counters counters() const;

private:
    void run_lane(const std::stop_token& stop);
    void process(scan::Pending& pending);
    [[nodiscard]] Opened open_object(FileActivity& activity) const;
    [[nodiscard]] bool has_left(const std::string& path, const std::string& hint) const;
    void judge(scan::Pending& pending, const Opened& opened);
    void try_again(scan::Pending& pending, const std::string& path, const Verdict& verdict);
    [[nodiscard]] bool is_of_excluded_program(const FileActivity& activity);
    void skip(const std::string& reason);

    const Parts parts_;
    const std::size_t capacity_;
    const unsigned lane_count_;
    scan::ScanQueue queue_;
    std::atomic<std::uint64_t> offered_ = 0;
    std::atomic<std::uint64_t> merged_ = 0;
    std::atomic<std::uint64_t> judged_ = 0;
    std::atomic<std::uint64_t> deferred_ = 0;
    std::atomic<std::uint64_t> failed_ = 0;
    std::atomic<std::uint64_t> unscannable_ = 0;
    std::atomic<std::int64_t> last_progress_ns_ = 0;  // boot time
    mutable std::mutex mutex_;                        // guards skipped_ and last_scan_
    std::map<std::string, std::uint64_t> skipped_;
    std::optional<WallTime> last_scan_;
    std::vector<std::jthread> lanes_;
};

// The name that leads to the object now: `hint` if it still does, else the kernel's own idea.
[[nodiscard]] std::string best_path(int file, const std::string& hint);

}  // namespace vigia::daemon
