// SPDX-License-Identifier: GPL-2.0-or-later
// The status, put together from what every part says of itself.
#include <fmt/format.h>

#include "base/text.h"
#include "daemon/components.h"

namespace vigia::daemon {
namespace {

MonitorStatus files_monitor(const FileMonitor::State& state) {
    MonitorStatus monitor{.name = "files", .wanted = state.wanted, .state = "off"};
    if (!state.wanted) {
        monitor.detail = "not wanted by policy";
        return monitor;
    }
    if (state.refused) {
        monitor.state = "failed";
        monitor.detail = "the kernel refuses: " + state.refused->message();
        return monitor;
    }
    if (!state.applied && state.sensor.places.empty()) {
        monitor.state = "unknown";
        monitor.detail = "marks are being set";
        return monitor;
    }
    std::size_t watched = 0;
    std::size_t unwatched = 0;
    bool descriptors = false;
    for (const auto& place : state.sensor.places) {
        watched += place.state == "watched" || place.state == "local-changes-only" ? 1U : 0U;
        unwatched += place.state == "unwatched" ? 1U : 0U;
        descriptors = descriptors || place.backend == "fanotify-fd";
        monitor.places.push_back(
            {.path = place.path, .type = place.type, .state = place.state, .detail = place.detail});
    }
    monitor.backend = descriptors && watched == 1 ? "fanotify-fd" : "fanotify-fid";
    monitor.detail = fmt::format("file systems watched: {}", watched);
    if (!state.sensor.reading) {
        monitor.state = "failed";
        monitor.detail = "events cannot be read: " + state.sensor.error;
    } else if (watched == 0) {
        monitor.state = "failed";
        monitor.detail = "no watched folder exists";
    } else if (unwatched > 0) {
        monitor.state = "partial";
        monitor.detail += fmt::format(", not watched: {}", unwatched);
    } else {
        monitor.state = "ok";
    }
    return monitor;
}

// Monitors of later versions: off, and said.
MonitorStatus absent(const char* name, bool wanted) {
    return {.name = name,
            .wanted = false,
            .state = "off",
            .backend = "",
            .detail = wanted ? "wanted by policy, not in this version" : "not wanted by policy"};
}

Accounting file_accounting(const sensors::FileSensor::State& sensor,
                           const Pipeline::Counters& pipeline,
                           const Walker::State& walker) {
    Accounting accounting{.cls = "file",
                          .exact = false,
                          .offered = sensor.read,
                          .delivered = sensor.delivered,
                          .filtered = sensor.filtered,
                          .deferred = pipeline.deferred,
                          .lost = 0,
                          .overflows = sensor.overflows,
                          .recovered = walker.recovered};
    if (sensor.overflows > 0) {
        accounting.lost.reset();  // the kernel does not say how many
    }
    // Told apart after delivery, when the object was looked at.
    for (const auto& [reason, count] : pipeline.skipped) {
        accounting.filtered[reason] += count;
        accounting.delivered -= std::min(accounting.delivered, count);
    }
    accounting.delivered -= std::min(accounting.delivered, pipeline.deferred);
    return accounting;
}

}  // namespace

Status Components::status() const {
    Status status;
    const auto policy = policies_.current();
    status.policy_name = policy->policy->name;
    status.policy_serial = policy->policy->serial;
    status.policy_source = policy->source;
    for (const auto& problem : policies_.problems()) {
        status.policy_valid = false;
        status.policy_errors += (status.policy_errors.empty() ? "" : "\n") + problem.text();
    }

    const auto monitor = monitor_->state();
    const auto counters = pipeline_->counters();
    const auto walker = walker_->state();
    status.monitors.push_back(files_monitor(monitor));
    status.monitors.push_back(absent("exec", policy->policy->files.on_execute != ExecMode::Off));
    status.accounting.push_back(file_accounting(monitor.sensor, counters, walker));
    overload_->report(status);
    report_kernel(status);

    const auto service = scanner_->state();
    const auto cache = cache_->counters();
    status.scan = {.state = service.state,
                   .detail = service.detail,
                   .user = service.user,
                   .workers = service.workers_ready,
                   .pending = pipeline_->pending(),
                   .deferred = walker.deferred,
                   .files_scanned = counters.judged + on_demand_->files_scanned(),
                   .detections = responder_->detections(),
                   .unscannable = counters.unscannable,
                   .failed = counters.failed,
                   .identity_hits = cache.identity_hits,
                   .content_hits = cache.content_hits,
                   .workers_lost = service.workers_lost,
                   .last_scan = counters.last_scan};
    status.definitions = definitions_->status();
    if (auto detail = definitions_->detail(); !detail.empty()) {
        status.scan.detail = std::move(detail);
    }
    if (status.definitions.built) {
        const auto age = clock_.wall() - *status.definitions.built;
        status.definitions.age_seconds = static_cast<std::uint64_t>(
            std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(age).count()));
    }
    status.self_test = self_test_->last();

    auto overall = health_->view().overall;
    status.state = std::move(overall.state);
    status.state_reason = std::move(overall.reason);
    const std::scoped_lock lock(state_mutex_);
    if (status.state != last_state_) {
        last_state_ = status.state;
        state_since_ = clock_.wall();
    }
    status.since = state_since_;
    return status;
}

metrics::Outlets Components::outlets() const {
    const auto journal = journal_->state();
    const auto sink = sink_->state();
    const auto* server = serving_.load();
    const auto api = server != nullptr ? server->counters() : control::ControlServer::Counters{};
    return {.journal_ok = journal.ok,
            .journal_bytes = journal.bytes,
            .journal_last = journal.last,
            .journal_lost = journal.lost,
            .journal_waiting = journal.waiting,
            .sink_delivered = sink.delivered,
            .sink_waiting = sink.waiting,
            .api_requests = api.requests,
            .api_refused_connections = api.refused_connections,
            .api_bad_requests = api.bad_requests};
}

}  // namespace vigia::daemon
