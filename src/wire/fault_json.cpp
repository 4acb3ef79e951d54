// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/fault_json.h"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

#include "base/text.h"
#include "wire/evidence_json.h"
#include "wire/fault_report_json.h"

namespace vigia::wire {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 4> kSeverities{
    "informational", "minor", "major", "critical"};

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json time_or_null(const std::optional<WallTime>& time) {
    return time ? Json(to_iso8601(*time)) : Json(nullptr);
}

std::int64_t nanoseconds(WallTime time) {
    return time.time_since_epoch().count();
}

WallTime wall(const Json& json, const char* key) {
    const auto found = json.find(key);
    const bool number = found != json.end() && found->is_number_integer();
    return WallTime{std::chrono::nanoseconds{number ? found->get<std::int64_t>() : 0}};
}

std::string text(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::int64_t number(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

bool truth(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_boolean() && found->get<bool>();
}

Json episode_json(const Episode& episode) {
    Json json;
    json["id"] = episode.id;
    json["key"] = episode.key;
    json["episode"] = episode.episode.text;
    json["raised_at"] = to_iso8601(episode.raised_at);
    json["updated_at"] = to_iso8601(episode.updated_at);
    json["cleared_at"] = time_or_null(episode.cleared_at);
    json["severity"] = severity_word(episode.severity);
    json["cause"] = episode.cause;
    json["cleared_because"] =
        episode.cleared_because.empty() ? Json(nullptr) : Json(episode.cleared_because);
    json["flapping"] = episode.flapping;
    json["recovered"] = episode.recovered;
    json["evidence"] = evidence_json(episode.evidence);
    return json;
}

}  // namespace

std::string_view severity_word(Severity severity) {
    return kSeverities.at(static_cast<std::size_t>(severity));
}

Json fault_report_json(const FaultReport& report) {
    Json json;
    json["id"] = report.id;
    json["key"] = report.key;
    json["severity"] = severity_word(report.severity);
    json["title"] = report.title;
    json["cause"] = report.cause;
    json["description"] = utf8_lossy(report.description);
    json["evidence"] = evidence_json(report.evidence);
    json["lost_capability"] = utf8_lossy(report.lost_capability);
    json["remedy"] = Json::array();
    for (const auto& step : report.remedy) {
        Json one{{"text", utf8_lossy(step.text)}};
        if (!step.command.empty()) {
            one["command"] = utf8_lossy(step.command);
        }
        json["remedy"].push_back(std::move(one));
    }
    json["episode"] = report.episode.empty() ? Json(nullptr) : Json(report.episode);
    json["raised_at"] = time_or_null(report.raised_at);
    json["updated_at"] = time_or_null(report.updated_at);
    json["flapping"] = report.flapping;
    json["heal"] = {{"attempts", report.heal_attempts},
                    {"last_result",
                     report.heal_last_result.empty() ? Json(nullptr)
                                                     : Json(utf8_lossy(report.heal_last_result))}};
    return json;
}

std::string to_json(const FaultReport& report) {
    return dump(fault_report_json(report));
}

std::string faults_json(std::span<const FaultReport> reports) {
    Json json{{"faults", Json::array()}};
    for (const auto& report : reports) {
        json["faults"].push_back(fault_report_json(report));
    }
    return dump(json);
}

std::string history_json(std::span<const Episode> episodes) {
    Json json{{"episodes", Json::array()}};
    for (const auto& episode : episodes) {
        json["episodes"].push_back(episode_json(episode));
    }
    return dump(json);
}

std::string to_record(const Episode& episode) {
    Json json;
    json["id"] = episode.id;
    json["key"] = episode.key;
    json["episode"] = episode.episode.text;
    json["severity"] = severity_word(episode.severity);
    json["cause"] = episode.cause;
    json["evidence"] = evidence_json(episode.evidence);
    json["raised_at"] = nanoseconds(episode.raised_at);
    json["updated_at"] = nanoseconds(episode.updated_at);
    json["cleared_at"] =
        episode.cleared_at ? Json(nanoseconds(*episode.cleared_at)) : Json(nullptr);
    json["cleared_because"] = episode.cleared_because;
    json["flapping"] = episode.flapping;
    json["recovered"] = episode.recovered;
    json["heal_attempts"] = episode.heal_attempts;
    json["heal_last_result"] = episode.heal_last_result;
    return dump(json);
}

Result<Episode> parse_episode_record(std::string_view record) {
    const auto json = Json::parse(record, nullptr, false);
    if (!json.is_object() || number(json, "id") <= 0 || text(json, "episode").empty()) {
        return fail(std::errc::illegal_byte_sequence, "episode record");
    }
    Episode episode{.id = static_cast<int>(number(json, "id")),
                    .key = text(json, "key"),
                    .episode = Uuid{text(json, "episode")},
                    .cause = text(json, "cause"),
                    .raised_at = wall(json, "raised_at"),
                    .updated_at = wall(json, "updated_at"),
                    .cleared_because = text(json, "cleared_because"),
                    .flapping = truth(json, "flapping"),
                    .recovered = truth(json, "recovered"),
                    .heal_attempts = static_cast<unsigned>(number(json, "heal_attempts")),
                    .heal_last_result = text(json, "heal_last_result")};
    for (std::size_t at = 0; at < kSeverities.size(); ++at) {
        if (kSeverities.at(at) == text(json, "severity")) {
            episode.severity = static_cast<Severity>(at);
        }
    }
    if (json.contains("evidence")) {
        episode.evidence = parse_evidence(json["evidence"]);
    }
    if (json.contains("cleared_at") && json["cleared_at"].is_number_integer()) {
        episode.cleared_at = wall(json, "cleared_at");
    }
    return episode;
}

}  // namespace vigia::wire
