// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "scan/scan_service.h"
#include "scan/service/crew.h"
#include "scan/service/waker.h"
#include "scan/service/worker_pool.h"

namespace vigia::scan::detail {

// Decides which engine serves: starts zygotes, switches over, restarts what dies, with back-off.
// Owns one thread, from which alone children are started, because their parent-death signal is tied
// to it. load() and situation() may be called from any thread.
class Supervisor {
public:
    Supervisor(ScanService::Options options,
               ScanService::Observer observer,
               WorkerPool& pool,
               const Waker& waker);
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    // Ends all children.
    ~Supervisor();

    void load(ScanService::DefinitionSet set);

    struct Situation {
        std::string state = "starting";
        std::string detail = "no definitions have been given to the scan service yet";
        pid_t zygote = 0;
        std::optional<ScanService::Engine> engine = {};
        std::string sandbox = {};
    };

    [[nodiscard]] Situation situation() const;

private:
    using CrewPtr = std::unique_ptr<Crew>;

    // ---- the thread
    void run();
    void wait(BootTime until) const;
    void step(BootTime now);
    void take_orders(BootTime now);
    void start_candidate(BootTime now);
    void look_after_candidate(BootTime now);
    void look_after_active(BootTime now);
    void look_after_old(BootTime now);
    void promote(BootTime now);
    void load_failed(const ScanService::LoadFailure& failure, BootTime now);
    void restart_after(BootTime uptime_since, BootTime now);
    void dismiss(CrewPtr crew, const std::string& how);
    void tell_zygote_loss(const Crew& crew, const std::string& how) const;
    void tell_loss(const ScanService::Loss& loss) const;
    void publish(BootTime now);
    [[nodiscard]] BootTime next_deadline() const;
    void end_all();

    const ScanService::Options options_;
    const ScanService::Observer observer_;
    WorkerPool& pool_;
    const Waker& waker_;

    mutable std::mutex mutex_;
    std::optional<ScanService::DefinitionSet> order_;  // guarded by mutex_
    Situation situation_;                              // guarded by mutex_
    std::atomic<bool> stopping_ = false;

    // The thread's own.
    std::optional<ScanService::DefinitionSet> in_use_;  // has served
    std::optional<ScanService::DefinitionSet> wanted_;  // not yet
    CrewPtr active_;
    CrewPtr candidate_;
    CrewPtr draining_;                // lets its workers finish
    std::vector<CrewPtr> dismissed_;  // killed, not yet dead
    std::optional<BootTime> start_at_;
    Backoff backoff_;
    std::uint64_t next_serial_ = 1;
    std::string failure_;       // why there is no engine, for people
    bool load_failed_ = false;  // and nothing else to fall back on
    std::jthread thread_;       // last: it uses everything above
};

}  // namespace vigia::scan::detail
