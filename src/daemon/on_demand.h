// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/file_monitor.h"
#include "daemon/responder.h"
#include "model/scan_job.h"
#include "scan/examiner.h"

namespace vigia::daemon {

// `vigia scan`: walks the paths and has every file examined, on threads of its own. What is found
// inside the watched folders is dealt with by policy; elsewhere it is reported (hard-parts 18).
// Thread-safe.
class OnDemand {
public:
    struct Parts {
        const PolicyStore& policies;
        const FileMonitor& monitor;
        scan::Examiner& examiner;
        Responder& responder;
        Reporter& reporter;
        unsigned threads = 2;
    };

    explicit OnDemand(Parts parts);
    OnDemand(const OnDemand&) = delete;
    OnDemand& operator=(const OnDemand&) = delete;
    ~OnDemand();

    // Absolute paths. At most 8 scans at once: EBUSY beyond. A path that is not there is one of the
    // errors of the scan, the others are scanned.
    [[nodiscard]] Result<ScanJob> start(std::vector<std::string> paths);

    [[nodiscard]] std::optional<ScanJob> find(const std::string& id) const;

    // Returns when the scan has ended (or is not there), at the latest after `timeout`.
    void wait_ended(const std::string& id, std::chrono::milliseconds timeout) const;

    // Those running and the last 32 that ended, newest first.
    [[nodiscard]] std::vector<ScanJob> list() const;

    // False: no such scan, or it has ended.
    bool pause(const std::string& id);
    bool resume(const std::string& id);
    bool cancel(const std::string& id);

    [[nodiscard]] std::uint64_t files_scanned() const { return files_scanned_; }

private:
    struct Job;
    using JobPtr = std::shared_ptr<Job>;

    void run(Job& job);
    void examine(Job& job, const std::string& path, UniqueFd file);
    void finish(Job& job);
    [[nodiscard]] JobPtr find_running(const std::string& id) const;
    void forget_old();

    const Parts parts_;
    mutable std::mutex mutex_;  // guards jobs_
    std::vector<JobPtr> jobs_;  // newest last
    std::atomic<std::uint64_t> files_scanned_ = 0;
};

}  // namespace vigia::daemon
