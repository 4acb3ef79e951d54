// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/status_json.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.h"
#include "base/text.h"

namespace vigia::wire {
namespace {

using nlohmann::json;

// Bytes as JSON can hold them, and beside them the exact ones where that is not the same.
void put_bytes(json& object, const std::string& key, const std::string& bytes) {
    object[key] = utf8_lossy(bytes);
    if (!is_valid_utf8(bytes)) {
        object[key + "_base64"] = base64(bytes);
    }
}

template <typename T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

json time_or_null(const std::optional<WallTime>& time) {
    return time ? json(to_iso8601(*time)) : json(nullptr);
}

json names_json(const std::vector<std::string>& names) {
    json list = json::array();
    for (const auto& name : names) {
        json entry;
        put_bytes(entry, "path", name);
        list.push_back(std::move(entry));
    }
    return list;
}

json monitor_json(const MonitorStatus& monitor) {
    json out{{"name", monitor.name},
             {"wanted", monitor.wanted},
             {"state", monitor.state},
             {"backend", monitor.backend},
             {"detail", utf8_lossy(monitor.detail)},
             {"places", json::array()}};
    for (const auto& place : monitor.places) {
        json entry{{"type", utf8_lossy(place.type)},
                   {"state", place.state},
                   {"detail", utf8_lossy(place.detail)}};
        put_bytes(entry, "path", place.path);
        out["places"].push_back(std::move(entry));
    }
    return out;
}

json scan_json(const ScanServiceStatus& scan) {
    return {{"state", scan.state},
            {"detail", utf8_lossy(scan.detail)},
            {"user", utf8_lossy(scan.user)},
            {"workers", scan.workers},
            {"pending", scan.pending},
            {"deferred", scan.deferred},
            {"files_scanned", scan.files_scanned},
            {"detections", scan.detections},
            {"unscannable", scan.unscannable},
            {"failed", scan.failed},
            {"identity_hits", scan.identity_hits},
            {"content_hits", scan.content_hits},
            {"workers_lost", scan.workers_lost},
            {"last_scan", time_or_null(scan.last_scan)}};
}

json definitions_json(const DefinitionsStatus& definitions) {
    json out{{"generation", definitions.generation},
             {"built", time_or_null(definitions.built)},
             {"signatures", definitions.signatures},
             {"age_seconds", or_null(definitions.age_seconds)},
             {"sources", json::array()}};
    for (const auto& source : definitions.sources) {
        json entry{{"kind", source.kind},
                   {"files", source.files},
                   {"detail", utf8_lossy(source.detail)}};
        put_bytes(entry, "path", source.path);
        out["sources"].push_back(std::move(entry));
    }
    return out;
}

json accounting_json(const Accounting& accounting) {
    return {{"class", accounting.cls},
            {"exact", accounting.exact},
            {"offered", accounting.offered},
            {"delivered", accounting.delivered},
            {"filtered", accounting.filtered.empty() ? json::object() : json(accounting.filtered)},
            {"deferred", accounting.deferred},
            {"lost", or_null(accounting.lost)},
            {"overflows", accounting.overflows},
            {"recovered", accounting.recovered}};
}

json self_test_json(const SelfTestReport& report) {
    json out{{"ok", report.ok}, {"at", to_iso8601(report.at)}, {"stages", json::array()}};
    put_bytes(out, "place", report.place);
    for (const auto& stage : report.stages) {
        out["stages"].push_back({{"name", stage.name},
                                 {"ok", stage.ok},
                                 {"milliseconds", stage.milliseconds},
                                 {"detail", utf8_lossy(stage.detail)}});
    }
    return out;
}

json problems_json(const std::vector<ScanJob::Problem>& problems) {
    json list = json::array();
    for (const auto& problem : problems) {
        json entry{{"reason", utf8_lossy(problem.reason)}};
        put_bytes(entry, "path", problem.path);
        list.push_back(std::move(entry));
    }
    return list;
}

json job_json(const ScanJob& job) {
    json out{{"id", job.id},
             {"state", job.state},
             {"started", to_iso8601(job.started)},
             {"ended", time_or_null(job.ended)},
             {"targets", names_json(job.targets)},
             {"files", job.files},
             {"bytes", job.bytes},
             {"found", job.found},
             {"walk_done", job.walk_done},
             {"detections", json::array()},
             {"errors", problems_json(job.errors)},
             {"unscannable", problems_json(job.unscannable)},
             {"detections_total", job.detections_total},
             {"errors_total", job.errors_total},
             {"unscannable_total", job.unscannable_total}};
    for (const auto& detection : job.detections) {
        json entry{{"detection", utf8_lossy(detection.threat)}, {"action", detection.action}};
        entry["sha256"] = detection.sha256 ? json(detection.sha256->hex()) : json(nullptr);
        put_bytes(entry, "path", detection.path);
        out["detections"].push_back(std::move(entry));
    }
    return out;
}

const char* state_name(QuarantineState state) {
    switch (state) {
        case QuarantineState::Storing:
            return "storing";
        case QuarantineState::Removing:
            return "removing";
        case QuarantineState::Quarantined:
            return "quarantined";
        case QuarantineState::Restored:
            return "restored";
        case QuarantineState::Deleted:
            return "deleted";
    }
    return "unknown";
}

WallTime at_nanoseconds(std::int64_t nanoseconds) {
    return WallTime{std::chrono::nanoseconds{nanoseconds}};
}

json item_json(const QuarantineItem& item) {
    json out{{"id", item.id},
             {"state", state_name(item.state)},
             {"sha256", item.sha256.hex()},
             {"size", item.size},
             {"detection", utf8_lossy(item.threat)},
             {"quarantined_at", to_iso8601(item.quarantined_at)},
             {"mode", item.mode},
             {"uid", item.uid},
             {"gid", item.gid},
             {"accessed_at", to_iso8601(at_nanoseconds(item.atime_ns))},
             {"modified_at", to_iso8601(at_nanoseconds(item.mtime_ns))},
             {"names_removed", names_json(item.names_removed)},
             {"names_left", names_json(item.names_left)},
             {"outcome", item.outcome},
             {"detection_uid", item.detection_uid},
             {"xattrs", json::array()}};
    put_bytes(out, "path", item.path);
    for (const auto& [name, value] : item.xattrs) {
        json entry{{"size", value.size()}};
        put_bytes(entry, "name", name);
        out["xattrs"].push_back(std::move(entry));
    }
    return out;
}

}  // namespace

std::string to_json(const Status& status, const std::string& version) {
    json out{{"state", status.state},
             {"state_reason", utf8_lossy(status.state_reason)},
             {"since", to_iso8601(status.since)},
             {"version", version},
             {"mode", status.mode},
             {"policy",
              {{"name", utf8_lossy(status.policy_name)},
               {"serial", status.policy_serial},
               {"valid", status.policy_valid},
               {"source", utf8_lossy(status.policy_source)},
               {"errors", utf8_lossy(status.policy_errors)}}},
             {"scan", scan_json(status.scan)},
             {"definitions", definitions_json(status.definitions)},
             {"monitors", json::array()},
             {"accounting", json::array()},
             {"faults", json::array()}};
    for (const auto& monitor : status.monitors) {
        out["monitors"].push_back(monitor_json(monitor));
    }
    for (const auto& accounting : status.accounting) {
        out["accounting"].push_back(accounting_json(accounting));
    }
    out["selftest"] = status.self_test ? self_test_json(*status.self_test) : json(nullptr);
    return out.dump();
}

std::string to_json(const SelfTestReport& report) {
    return self_test_json(report).dump();
}

std::string to_json(const ScanJob& job) {
    return job_json(job).dump();
}

std::string to_json(const std::vector<ScanJob>& jobs) {
    json out{{"items", json::array()}};
    for (const auto& job : jobs) {
        out["items"].push_back(job_json(job));
    }
    return out.dump();
}

std::string to_json(const QuarantineItem& item) {
    return item_json(item).dump();
}

std::string to_json(const std::vector<QuarantineItem>& items) {
    json out{{"items", json::array()}};
    for (const auto& item : items) {
        out["items"].push_back(item_json(item));
    }
    return out.dump();
}

std::string to_json(const DefinitionsStatus& definitions) {
    return definitions_json(definitions).dump();
}

}  // namespace vigia::wire
