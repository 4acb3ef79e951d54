// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/policy_store.h"
#include "sensors/fanotify/file_sensor.h"

namespace vigia::daemon {

// Keeps the file sensor fitting the policy and the mounts: opens it (again every 30 s while it is
// refused), applies the plan after each change of policy, mounts or mount namespaces. Marking opens
// mount points, which can hang on a dead network file system, so it happens on a thread of its own.
class FileMonitor {
public:
    struct Options {
        const PolicyStore& policies;
        std::vector<std::string> own_folders;
        sensors::FileSensor::Observer observer;
        std::function<WallTime()> now;
        std::function<void()> changed;  // marks were set, or refused; must not block
    };

    explicit FileMonitor(Options options);
    FileMonitor(const FileMonitor&) = delete;
    FileMonitor& operator=(const FileMonitor&) = delete;
    ~FileMonitor();

    void start();

    // Policy or mounts changed. Any thread; returns at once.
    void refresh();

    // Writes to files that stay open are not told, or are again. Any thread; returns at once.
    void set_quiet(bool quiet);

    // Sees a mount namespace come or go (cheap; called by a timer).
    void check_namespaces();

    // Nothing while the kernel refuses the sensor or the policy does not want it.
    [[nodiscard]] std::shared_ptr<sensors::FileSensor> sensor() const;

    struct State {
        bool wanted = false;
        std::optional<Error> refused = {};  // of fanotify_init
        bool applied = false;               // the current plan is in force
        sensors::FileSensor::State sensor = {};
    };

    [[nodiscard]] State state() const;

    // Waits until the newest refresh has been carried out. For start and self-test.
    bool wait_applied(std::chrono::milliseconds timeout) const;

private:
    void run(const std::stop_token& stop);
    void apply_once();

    Options options_;
    mutable std::mutex mutex_;  // guards all below
    mutable std::condition_variable_any changed_;
    std::shared_ptr<sensors::FileSensor> sensor_;
    std::optional<Error> refused_;
    std::uint64_t wanted_revision_ = 0;
    std::uint64_t applied_revision_ = 0;
    std::string namespaces_;
    bool quiet_ = false;
    std::jthread thread_;
};

}  // namespace vigia::daemon
