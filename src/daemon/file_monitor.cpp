// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/file_monitor.h"

#include "base/log.h"
#include "host/mounts.h"

namespace vigia::daemon {
namespace {

constexpr std::chrono::seconds kRetry{30};

}  // namespace

FileMonitor::FileMonitor(Options options) : options_(std::move(options)) {}

FileMonitor::~FileMonitor() {
    thread_ = {};
}

void FileMonitor::start() {
    refresh();
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void FileMonitor::refresh() {
    {
        const std::scoped_lock lock(mutex_);
        ++wanted_revision_;
    }
    changed_.notify_all();
}

void FileMonitor::set_quiet(bool quiet) {
    {
        const std::scoped_lock lock(mutex_);
        if (quiet_ == quiet) {
            return;
        }
        quiet_ = quiet;
    }
    refresh();
}

void FileMonitor::check_namespaces() {
    auto digest = host::namespaces_digest();
    bool differs = false;
    {
        const std::scoped_lock lock(mutex_);
        differs = digest != namespaces_;
        namespaces_ = std::move(digest);
    }
    if (differs) {
        refresh();
    }
}

void FileMonitor::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            const bool due = changed_.wait_for(
                lock, stop, kRetry, [this] { return wanted_revision_ != applied_revision_; });
            if (stop.stop_requested()) {
                return;
            }
            const bool failed = refused_.has_value();
            if (!due && !failed) {
                continue;
            }
        }
        apply_once();
    }
}

void FileMonitor::apply_once() {
    std::uint64_t revision = 0;
    bool quiet = false;
    std::shared_ptr<sensors::FileSensor> sensor;
    {
        const std::scoped_lock lock(mutex_);
        revision = wanted_revision_;
        sensor = sensor_;
        quiet = quiet_;
    }
    const auto policy = options_.policies.current();
    std::optional<Error> refused;
    if (!policy->policy->files.monitor_copies_and_moves) {
        sensor.reset();
    } else if (!sensor) {
        auto opened = sensors::FileSensor::open(options_.observer);
        if (opened) {
            sensor = std::move(*opened);
        } else {
            refused = std::move(opened).error();
        }
    }
    if (sensor) {
        auto mounts = host::list_mounts();
        if (!mounts) {
            log::error("list mounts: " + mounts.error().message());
        }
        sensor->apply({.folders = policy->policy->files.watch,
                       .mounts = mounts ? std::move(*mounts) : std::vector<Mount>{},
                       .own_folders = options_.own_folders,
                       .excluded_folders = policy->exclusions.folders(options_.now()),
                       .quiet = quiet});
    }
    {
        const std::scoped_lock lock(mutex_);
        sensor_.swap(sensor);  // one no longer wanted ends outside the lock
        refused_ = std::move(refused);
        applied_revision_ = revision;
    }
    changed_.notify_all();
    options_.changed();
}

std::shared_ptr<sensors::FileSensor> FileMonitor::sensor() const {
    const std::scoped_lock lock(mutex_);
    return sensor_;
}

FileMonitor::State FileMonitor::state() const {
    State state{.wanted = options_.policies.current()->policy->files.monitor_copies_and_moves};
    std::shared_ptr<sensors::FileSensor> sensor;
    {
        const std::scoped_lock lock(mutex_);
        sensor = sensor_;
        state.refused = refused_;
        state.applied = applied_revision_ != 0 && applied_revision_ == wanted_revision_;
    }
    if (sensor) {
        state.sensor = sensor->state();
    }
    return state;
}

bool FileMonitor::wait_applied(std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
        lock, timeout, [this] { return applied_revision_ == wanted_revision_; });
}

}  // namespace vigia::daemon
