// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/event_json.h"

#include <nlohmann/json.hpp>

#include <string_view>

#include "base/text.h"
#include "wire/activity_json.h"
#include "wire/event_kinds.h"
#include "wire/event_values.h"
#include "wire/evidence_json.h"
#include "wire/exact_bytes.h"

namespace vigia::wire {
namespace {

constexpr const char* kSchemaVersion = "1.4.0";  // the first with class 6008
constexpr const char* kProduct = "Vig\u00eda";

Json process_json(const DetectionBody& body) {
    Json process = Json::object();
    process["pid"] = body.pid;
    if (!body.program.empty()) {
        put_bytes(process["file"], "name", base_name(body.program));
        put_bytes(process["file"], "path", body.program);
        process["file"]["type_id"] = 1;
    }
    return process;
}

void put_body(Json& out, const Event& event, const DetectionBody& body) {
    const auto kind = kind_of(body.phase);
    put_kind(out, kDetectionFinding, kind.kind);
    put_caption(out, "disposition", kind.disposition);
    put_caption(out, "action", kind.action);
    out["is_alert"] = !body.self_test && body.phase != DetectionPhase::InExclusion;
    auto& finding = out["finding_info"];
    finding["uid"] = utf8_lossy(event.correlation.value_or(event.uid).text);
    put_bytes(finding, "title", body.threat.empty() ? "unnamed threat" : body.threat);
    finding["types"] = {"Malware"};
    out["file"] = file_json(body.file);
    Json malware = Json::object();
    malware["classification_ids"] = {0};  // the engine's names follow no scheme that we could map
    put_bytes(malware, "name", body.threat);
    put_bytes(malware, "path", body.file.path);
    out["malware"].push_back(std::move(malware));
    Json evidence = Json::object();
    evidence["file"] = out["file"];
    if (body.actor || body.pid != 0 || !body.program.empty()) {
        evidence["process"] = body.actor ? wire::process_json(*body.actor) : process_json(body);
    }
    out["evidences"].push_back(std::move(evidence));
    auto& ours = out["vigia"]["detection"];
    put_bytes(ours, "action", body.action);
    put_bytes(ours, "outcome", body.outcome);
    put_if(ours, "quarantine_id", body.quarantine_id);
    put_names(ours, "names_removed", body.names_removed);
    put_names(ours, "names_left", body.names_left);
    put_if(ours, "exclusion", body.exclusion);
    if (body.actor) {
        ours["ancestry"] = ancestry_json(*body.actor);
    }
    ours["self_test"] = body.self_test;
}

void put_body(Json& out, const Event& /*event*/, const ScanBody& body) {
    put_kind(out, kScanActivity, kind_of(body.phase));
    auto& scan = out["scan"];
    put_if(scan, "uid", body.scan_id);
    put_caption(
        scan, "type", body.scan_id.empty() ? Caption{99, "On Access"} : Caption{1, "Manual"});
    out["num_files"] = body.files;
    out["num_detections"] = body.detections;
    out["total"] = body.files;
    auto& ours = out["vigia"]["scan"];
    put_names(ours, "targets", body.targets);
    ours["bytes"] = body.bytes;
    ours["errors"] = body.errors;
    put_if(ours, "reason", body.reason);
    if (body.file) {
        ours["file"] = file_json(*body.file);
    }
}

void put_body(Json& out, const Event& /*event*/, const ServiceBody& body) {
    put_kind(out, kApplicationLifecycle, kind_of(body.action));
    out["app"] = {{"name", kProduct}, {"vendor_name", kProduct}, {"version", VIGIA_VERSION}};
    auto& facts = out["vigia"]["facts"];
    facts = Json::object();
    for (const auto& [key, value] : body.facts) {
        put_bytes(facts, utf8_lossy(key), value);
    }
}

void put_body(Json& out, const Event& /*event*/, const EventsDroppedBody& body) {
    put_kind(out, kApplicationError, kEventsDropped);
    auto& ours = out["vigia"]["dropped"];
    put_bytes(ours, "reason", body.reason);
    ours["first"] = body.first;
    ours["last"] = body.last;
    put_if(ours, "epoch", body.epoch);
    if (body.first_time && body.last_time) {
        ours["first_time"] = to_iso8601(*body.first_time);
        ours["last_time"] = to_iso8601(*body.last_time);
    }
    ours["count"] = nullptr;
    ours["per_class"] = Json::object();
    std::uint64_t count = 0;
    for (const auto& [name, dropped] : body.per_class) {
        ours["per_class"][utf8_lossy(name)] = dropped;
        count += dropped;
    }
    if (!body.per_class.empty()) {
        ours["count"] = count;
    }
    ours["undelivered"] = body.undelivered;
}

void put_body(Json& out, const Event& /*event*/, const FaultBody& body) {
    put_kind(out, kApplicationError, kind_of(body.phase));
    auto& ours = out["vigia"]["fault"];
    ours = Json::object();
    if (body.phase == FaultPhase::AllCleared) {
        return;
    }
    ours["id"] = body.id;
    put_bytes(ours, "key", body.key);
    put_bytes(ours, "title", body.title);
    put_bytes(ours, "cause", body.cause);
    put_if(ours, "severity_before", body.severity_before);
    put_if(ours, "cause_before", body.cause_before);
    put_if(ours, "cleared_because", body.cleared_because);
    if (body.raised_at) {
        ours["raised_at"] = to_iso8601(*body.raised_at);
    }
    ours["flapping"] = body.flapping;
    ours["recovered"] = body.recovered;
    ours["evidence"] = evidence_json(body.evidence);
}

void put_body(Json& out, const Event& /*event*/, const ProcessBody& body) {
    put_activity(out, body);
}

void put_body(Json& out, const Event& /*event*/, const NetworkBody& body) {
    put_activity(out, body);
}

void put_body(Json& out, const Event& event, const FlowDetectionBody& body) {
    out["finding_info"]["uid"] = utf8_lossy(event.correlation.value_or(event.uid).text);
    put_activity(out, body);
}

void put_frame(Json& out, const Event& event, const EventFrame& frame) {
    auto& metadata = out["metadata"];
    metadata["uid"] = utf8_lossy(event.uid.text);
    if (event.correlation) {
        metadata["correlation_uid"] = utf8_lossy(event.correlation->text);
    }
    metadata["version"] = kSchemaVersion;
    metadata["product"] = {
        {"name", kProduct}, {"vendor_name", kProduct}, {"version", VIGIA_VERSION}};
    metadata["sequence"] = frame.sequence;
    metadata["log_name"] = "vigia";
    auto& device = out["device"];
    put_bytes(device, "hostname", frame.device_name);
    put_if(device, "uid", frame.device_uid);
    put_caption(device, "type", {0, "Unknown"});
}

}  // namespace

std::string to_json(const Event& event, const EventFrame& frame) {
    Json out = Json::object();
    out["time"] =
        std::chrono::floor<std::chrono::milliseconds>(event.time).time_since_epoch().count();
    out["time_dt"] = to_iso8601(event.time);
    put_caption(out, "severity", names_of(event.severity).ocsf);
    put_bytes(out, "message", event.message);
    auto& ours = out["vigia"];
    ours["event"] = nullptr;  // put_kind fills it; stands first
    ours["severity"] = names_of(event.severity).ours;
    put_bytes(ours, "journal_epoch", frame.epoch);
    put_bytes(ours, "boot_id", frame.boot_id);
    put_frame(out, event, frame);
    std::visit([&](const auto& body) { put_body(out, event, body); }, event.body);
    return out.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace vigia::wire
