// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "scan/scan_service.h"
#include "scan/service/scheduling.h"
#include "scan/service/waker.h"
#include "scan/service/worker.h"

namespace vigia::scan::detail {

// Who is ready, who waits. Callers borrow a worker and alone talk to it; the supervisor brings new
// ones and buries the dead. Thread-safe. Wakes the supervisor whenever there is something to do.
class WorkerPool {
    struct Entry;

public:
    WorkerPool(const Waker& waker, unsigned target, unsigned recycle_after);
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    ~WorkerPool();

    // A worker borrowed. Given back by put_back() or give_up(); if by neither, it is killed.
    class Lease {
    public:
        Lease(Lease&& other) noexcept
            : pool_(other.pool_), entry_(std::exchange(other.entry_, nullptr)) {}

        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        Lease& operator=(Lease&&) = delete;
        ~Lease();

        [[nodiscard]] const Worker& worker() const noexcept;
        [[nodiscard]] Scheduling& scheduling() const noexcept;

        // `suspect`: what it saw may have harmed it, so it is replaced before its next file.
        void put_back(bool suspect);

        // It is ended, if it has not ended yet, because of `cause` (empty: it was it who ended).
        // Waits at most 500 ms for the supervisor to learn how it ended and to have told it.
        [[nodiscard]] Ending give_up(std::string cause);

    private:
        friend class WorkerPool;

        Lease(WorkerPool& pool, Entry& entry) noexcept : pool_(&pool), entry_(&entry) {}

        WorkerPool* pool_;
        Entry* entry_;
    };

    enum class Refusal : std::uint8_t { NotReady, Failed, Stopping };

    // Waits for a worker of the current engine: urgent callers first, else in the order they came.
    // While the service has failed, for 5 s at most.
    [[nodiscard]] std::expected<Lease, Refusal> acquire(Flight flight,
                                                        bool urgent,
                                                        BootTime deadline);

    // ---- the supervisor

    [[nodiscard]] WorkerId add(Worker worker);

    // From now on callers get workers of this engine; idle ones of others are ended, busy ones when
    // they are given back.
    void use_engine(std::uint64_t engine);

    void set_target(unsigned target);
    [[nodiscard]] unsigned target() const;

    // Workers of this engine that will stay; busy ones.
    [[nodiscard]] unsigned staying(std::uint64_t engine) const;
    [[nodiscard]] unsigned busy(std::uint64_t engine) const;

    struct Condition {
        std::optional<BootTime> killed_at;  // we have ended it
        bool guilty = false;                // for what it did
        bool unused = true;                 // never had a file
    };

    [[nodiscard]] Condition condition(WorkerId id) const;

    // The loss to tell, counted; nothing if the end was our wish. Then bury() lets go of it.
    [[nodiscard]] std::optional<ScanService::Loss> loss_of(WorkerId id, std::string how);
    void bury(WorkerId id);

    // Its zygote is gone: kills and buries all its workers.
    void bury_engine(std::uint64_t engine, const std::string& how);

    // While it is set callers wait for 5 s at most.
    void set_failed(bool failed);

    // For good: nobody gets a worker any more, and the busy ones are ended, so that those who wait
    // for them are free.
    void close();

    struct Census {
        std::vector<pid_t> ready;  // of the current engine
        std::uint64_t lost = 0;
        std::size_t waiting = 0;  // callers without a worker
    };

    [[nodiscard]] Census census() const;

private:
    struct Waiter;

    void put_back(Entry& entry, bool suspect);
    [[nodiscard]] Ending give_up(Entry& entry, std::string cause);

    // With mutex_ held:
    void hand_out();
    void retire(Entry& entry);
    void trim();
    void forget_if_over(Entry& entry);
    [[nodiscard]] unsigned staying_now(std::uint64_t engine) const;
    [[nodiscard]] BootTime patience(BootTime arrived, BootTime deadline) const;

    const Waker& waker_;
    const unsigned recycle_after_;

    mutable std::mutex mutex_;  // guards everything below and the changing part of the entries
    std::condition_variable ended_;
    std::map<WorkerId, std::unique_ptr<Entry>> entries_;
    std::list<Entry*> idle_;     // longest idle first
    std::list<Waiter*> urgent_;  // first come first
    std::list<Waiter*> ordinary_;
    WorkerId next_id_ = 1;
    std::uint64_t engine_ = 0;
    unsigned target_;
    unsigned busy_ = 0;  // of the current engine
    std::uint64_t lost_ = 0;
    std::optional<BootTime> failed_since_;
    bool closed_ = false;
};

}  // namespace vigia::scan::detail
