// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <optional>
#include <string>

#include "scan/service/scheduling.h"
#include "scan/service/worker_pool.h"

// Private to the two sources of WorkerPool.
namespace vigia::scan::detail {

struct WorkerPool::Entry {
    Worker worker;
    WorkerId id = 0;
    unsigned served = 0;
    bool leased = false;
    bool leaving = false;  // this file is its last; its successor is asked for already
    bool retired = false;  // ended by our wish: no loss
    std::optional<BootTime> killed_at = {};
    Flight flight = {};
    std::string cause = {};  // why we ended it
    std::optional<Ending> ending = {};
    Scheduling scheduling{worker.pid};  // its caller's while it is leased

    [[nodiscard]] bool stays() const { return !leaving && !killed_at && !ending; }
};

struct WorkerPool::Waiter {
    Entry* given = nullptr;
    std::condition_variable wake = {};
};

}  // namespace vigia::scan::detail
