// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/status_json.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "wire/exact_bytes.h"
#include "wire/fault_report_json.h"

namespace vigia::wire {
namespace {

using Json = nlohmann::ordered_json;  // in the order of the contract

// A list and, if one of them is no UTF-8, the exact bytes of all in the same order.
void put_names(Json& object, const std::string& key, const std::vector<std::string>& names) {
    Json texts = Json::array();
    Json bytes = Json::array();
    bool exact = true;
    for (const auto& name : names) {
        auto text = utf8_lossy(name);
        exact = exact && text == name;
        texts.push_back(std::move(text));
        bytes.push_back(base64(name));
    }
    object[key] = std::move(texts);
    if (!exact) {
        object[key + "_base64"] = std::move(bytes);
    }
}

Json time_or_null(const std::optional<WallTime>& time) {
    return time ? Json(to_iso8601(*time)) : Json(nullptr);
}

template <typename T>
Json value_or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json hash_or_null(const std::optional<Sha256>& hash) {
    return hash ? Json(hash->hex()) : Json(nullptr);
}

template <typename T>
Json array_of(const std::vector<T>& values, Json (*one)(const T&)) {
    Json array = Json::array();
    for (const T& value : values) {
        array.push_back(one(value));
    }
    return array;
}

// Never throws: what is not UTF-8 in a text for people is replaced.
std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json place_json(const MonitorStatus::Place& place) {
    Json json;
    put_bytes(json, "path", place.path);
    json["type"] = place.type;
    json["state"] = place.state;
    json["detail"] = place.detail;
    return json;
}

Json monitor_json(const MonitorStatus& monitor) {
    Json json;
    json["name"] = monitor.name;
    json["wanted"] = monitor.wanted;
    json["state"] = monitor.state;
    json["backend"] = monitor.backend;
    json["detail"] = monitor.detail;
    json["places"] = array_of(monitor.places, place_json);
    return json;
}

Json scan_service_json(const ScanServiceStatus& scan) {
    Json json;
    json["state"] = scan.state;
    json["user"] = scan.user;
    json["workers"] = scan.workers;
    json["pending"] = scan.pending;
    json["deferred"] = scan.deferred;
    json["files_scanned"] = scan.files_scanned;
    json["detections"] = scan.detections;
    json["last_scan"] = time_or_null(scan.last_scan);
    json["detail"] = scan.detail;
    json["unscannable"] = scan.unscannable;
    json["failed"] = scan.failed;
    json["identity_hits"] = scan.identity_hits;
    json["content_hits"] = scan.content_hits;
    json["workers_lost"] = scan.workers_lost;
    return json;
}

Json source_json(const DefinitionsStatus::Source& source) {
    Json json;
    json["kind"] = source.kind;
    put_bytes(json, "path", source.path);
    json["files"] = source.files;
    json["detail"] = source.detail;
    return json;
}

Json definitions_json(const DefinitionsStatus& definitions) {
    Json json;
    json["generation"] = definitions.generation;
    json["built"] = time_or_null(definitions.built);
    json["signatures"] = definitions.signatures;
    json["age_seconds"] = value_or_null(definitions.age_seconds);
    json["sources"] = array_of(definitions.sources, source_json);
    return json;
}

Json accounting_json(const Accounting& accounting) {
    Json json;
    json["class"] = accounting.cls;
    json["exact"] = accounting.exact;
    json["offered"] = accounting.offered;
    json["delivered"] = accounting.delivered;
    json["filtered"] = Json::object();
    for (const auto& [reason, count] : accounting.filtered) {
        json["filtered"][reason] = count;
    }
    json["deferred"] = accounting.deferred;
    json["lost"] = value_or_null(accounting.lost);
    json["overflows"] = accounting.overflows;
    json["recovered"] = accounting.recovered;
    return json;
}

Json stage_json(const SelfTestStage& stage) {
    Json json;
    json["name"] = stage.name;
    json["ok"] = stage.ok;
    json["milliseconds"] = stage.milliseconds;
    json["detail"] = stage.detail;
    return json;
}

Json self_test_json(const SelfTestReport& report) {
    Json json;
    json["ok"] = report.ok;
    json["at"] = to_iso8601(report.at);
    put_bytes(json, "place", report.place);
    json["stages"] = array_of(report.stages, stage_json);
    return json;
}

Json policy_json(const Status& status) {
    Json json;
    json["name"] = status.policy_name;
    json["serial"] = status.policy_serial;
    json["valid"] = status.policy_valid;
    put_bytes(json, "source", status.policy_source);
    json["errors"] = status.policy_errors;
    return json;
}

Json load_json(const LoadStatus& load) {
    Json json;
    json["level"] = load.level;
    json["reason"] = load.reason;
    json["since"] = time_or_null(load.since);
    json["changes"] = load.changes;
    json["events_per_second"] = {
        {"offered", load.offered}, {"delivered", load.delivered}, {"deferred", load.deferred}};
    json["ring_percent"] = load.ring_percent;
    json["queue_percent"] = load.queue_percent;
    json["oldest_scan_seconds"] = load.oldest_scan_seconds;
    json["cpu_percent"] = load.cpu_percent;
    return json;
}

Json catch_up_json(const CatchUpStatus& catch_up) {
    Json json;
    json["state"] = catch_up.state;
    json["since"] = time_or_null(catch_up.since);
    json["started"] = time_or_null(catch_up.started);
    json["files_deferred"] = catch_up.files_deferred;
    json["files_found"] = catch_up.files_found;
    json["folders_walked"] = catch_up.folders_walked;
    json["problems"] = catch_up.problems;
    json["share"] = value_or_null(catch_up.share);
    json["tainted_since"] = time_or_null(catch_up.tainted_since);
    put_names(json, "without_ctime", catch_up.without_ctime);
    return json;
}

Json status_json(const Status& status, const std::string& version) {
    Json json;
    json["state"] = status.state;
    json["state_reason"] = status.state_reason;
    json["since"] = to_iso8601(status.since);
    json["version"] = version;
    json["mode"] = status.mode;
    json["policy"] = policy_json(status);
    json["monitors"] = array_of(status.monitors, monitor_json);
    json["exec_gate"] = status.exec_gate;
    json["scan"] = scan_service_json(status.scan);
    json["definitions"] = definitions_json(status.definitions);
    json["selftest"] = status.self_test ? self_test_json(*status.self_test) : Json(nullptr);
    json["load"] = load_json(status.load);
    json["catch_up"] = catch_up_json(status.catch_up);
    json["accounting"] = array_of(status.accounting, accounting_json);
    json["faults"] = array_of(status.faults, fault_report_json);
    return json;
}

Json detection_json(const ScanJob::Detection& detection) {
    Json json;
    put_bytes(json, "path", detection.path);
    json["detection"] = detection.threat;
    json["action"] = detection.action;
    json["sha256"] = hash_or_null(detection.sha256);
    return json;
}

Json problem_json(const ScanJob::Problem& problem) {
    Json json;
    put_bytes(json, "path", problem.path);
    json["reason"] = problem.reason;
    return json;
}

Json job_json(const ScanJob& job) {
    Json json;
    json["id"] = job.id;
    json["state"] = job.state;
    put_names(json, "targets", job.targets);
    json["started"] = to_iso8601(job.started);
    json["ended"] = time_or_null(job.ended);
    json["files"] = job.files;
    json["bytes"] = job.bytes;
    json["found"] = job.found;
    json["walk_done"] = job.walk_done;
    json["detections"] = array_of(job.detections, detection_json);
    json["errors"] = array_of(job.errors, problem_json);
    json["unscannable"] = array_of(job.unscannable, problem_json);
    json["detections_total"] = job.detections_total;
    json["errors_total"] = job.errors_total;
    json["unscannable_total"] = job.unscannable_total;
    return json;
}

const char* state_word(QuarantineState state) noexcept {
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

std::string file_time(std::int64_t nanoseconds) {
    return to_iso8601(WallTime{std::chrono::nanoseconds{nanoseconds}});
}

// "0755": the permission bits as people write them.
std::string octal(std::uint32_t mode) {
    std::string text = "0000";
    for (std::size_t at = text.size(); at-- > 0; mode >>= 3U) {
        text[at] = static_cast<char>('0' + (mode & 7U));
    }
    return text;
}

Json item_json(const QuarantineItem& item) {
    std::vector<std::string> attributes;
    attributes.reserve(item.xattrs.size());
    for (const auto& [name, value] : item.xattrs) {
        attributes.push_back(name);
    }
    Json json;
    json["id"] = item.id;
    put_bytes(json, "path", item.path);
    json["sha256"] = item.sha256.hex();
    json["size"] = item.size;
    json["detection"] = item.threat;
    json["quarantined_at"] = to_iso8601(item.quarantined_at);
    json["state"] = state_word(item.state);
    json["outcome"] = item.outcome;
    json["mode"] = octal(item.mode & 07777U);
    json["uid"] = item.uid;
    json["gid"] = item.gid;
    json["accessed_at"] = file_time(item.atime_ns);
    json["modified_at"] = file_time(item.mtime_ns);
    put_names(json, "xattrs", attributes);
    put_names(json, "names_removed", item.names_removed);
    put_names(json, "names_left", item.names_left);
    json["detection_uid"] = item.detection_uid;
    return json;
}

}  // namespace

std::string to_json(const Status& status, const std::string& version) {
    return dump(status_json(status, version));
}

std::string to_json(const SelfTestReport& report) {
    return dump(self_test_json(report));
}

std::string to_json(const ScanJob& job) {
    return dump(job_json(job));
}

std::string to_json(const std::vector<ScanJob>& jobs) {
    return dump(Json{{"items", array_of(jobs, job_json)}});
}

std::string to_json(const QuarantineItem& item) {
    return dump(item_json(item));
}

std::string to_json(const std::vector<QuarantineItem>& items) {
    return dump(Json{{"items", array_of(items, item_json)}});
}

std::string to_json(const DefinitionsStatus& definitions) {
    return dump(definitions_json(definitions));
}

}  // namespace vigia::wire
