// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "scan/scan_service.h"
#include "scan/service/worker.h"

namespace vigia::scan::detail {

// The first worker of a new engine scans a harmless file before anybody relies on it: a sandbox
// that kills workers at once, or definitions that detect everything, are found before the switch.
// Not thread-safe.
class Trial {
public:
    [[nodiscard]] static Result<Trial> begin(Worker worker);

    enum class Outcome : std::uint8_t { Open, Passed, Failed };

    // What has become of it by now. A worker that has ended keeps it Open: its zygote tells how.
    [[nodiscard]] Outcome look();

    // Why, when Failed. `hostile`: the worker broke the protocol.
    [[nodiscard]] const ScanService::LoadFailure& failure() const noexcept { return failure_; }

    [[nodiscard]] bool hostile() const noexcept { return hostile_; }

    [[nodiscard]] const Worker& worker() const noexcept { return worker_; }

    // -1 when there is nothing more to come.
    [[nodiscard]] int socket() const noexcept { return closed_ ? -1 : worker_.socket.get(); }

    [[nodiscard]] Worker take_worker() && { return std::move(worker_); }

private:
    explicit Trial(Worker worker);

    Outcome fail_with(std::string cause, std::string message);

    Worker worker_;
    std::uint64_t id_;
    bool closed_ = false;
    bool hostile_ = false;
    ScanService::LoadFailure failure_;
};

}  // namespace vigia::scan::detail
