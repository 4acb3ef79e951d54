// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/api.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/base64.h"
#include "base/text.h"
#include "daemon/api_faults.h"
#include "daemon/api_programs.h"
#include "daemon/components.h"
#include "definitions/builtin.h"
#include "metrics/prometheus_text.h"
#include "policy/policy_file.h"
#include "wire/status_json.h"

namespace vigia::daemon {
namespace {

using control::error_response;
using control::Request;
using control::Response;
using nlohmann::json;

Response not_found(const std::string& what) {
    return error_response(404, "not-found", what);
}

Response ok_json(std::string body) {
    body += '\n';
    return {.body = std::move(body)};
}

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

// ---- reading --------------------------------------------------------------------------------

Response get_status(Components& parts, const Request& request) {
    auto status = parts.status();
    status.faults =
        raised_faults(parts.health().view().open,
                      request.caller.full,
                      request.query("lang") == "es" ? Language::Spanish : Language::English);
    if (!request.caller.full) {
        // Others may know how we are, not where anything is.
        for (auto& monitor : status.monitors) {
            monitor.places.clear();
        }
        status.definitions.sources.clear();
        status.policy_errors.clear();
        status.policy_source.clear();
        if (status.self_test) {
            status.self_test->place.clear();
        }
    }
    return ok_json(wire::to_json(status, VIGIA_VERSION));
}

Response get_health(Components& parts, const Request& /*request*/) {
    const auto status = parts.status();
    const json body{{"state", status.state}, {"reason", status.state_reason}};
    auto response = ok_json(body.dump());
    response.status = status.state == "protected" ? 200 : 503;
    return response;
}

Response get_metrics(Components& parts, const Request& /*request*/) {
    auto status = parts.status();
    status.faults = raised_faults(parts.health().view().open, true, Language::English);
    return {.content_type = metrics::kPrometheusContentType,
            .body = metrics::to_prometheus(status, parts.outlets(), VIGIA_VERSION)};
}

Response get_self_test(Components& parts, const Request& request) {
    auto last = parts.status().self_test;
    if (last && !request.caller.full) {
        last->place.clear();  // as in the status
    }
    return last ? ok_json(wire::to_json(*last)) : not_found("no self-test has run yet");
}

Response get_definitions(Components& parts, const Request& /*request*/) {
    return ok_json(wire::to_json(parts.status().definitions));
}

Response get_policy(Components& parts, const Request& request) {
    const auto policy = parts.policies().current();
    if (request.query("format") == "toml") {
        return {.content_type = "application/toml", .body = policy::to_toml(*policy->policy)};
    }
    return ok_json(policy::to_json(*policy->policy));
}

Response get_quarantine(Components& parts, const Request& /*request*/) {
    auto items = parts.reporter().journal().quarantine();
    if (!items) {
        return error_response(500, "journal", items.error().message());
    }
    std::erase_if(*items, [](const QuarantineItem& item) {
        return item.state == QuarantineState::Deleted || item.state == QuarantineState::Restored ||
               item.outcome == "undone";
    });
    return ok_json(wire::to_json(*items));
}

Response get_scans(Components& parts, const Request& /*request*/) {
    return ok_json(wire::to_json(parts.on_demand().list()));
}

// ---- events ---------------------------------------------------------------------------------

struct EventsAsked {
    journal::Query query;
    bool follow = false;
};

std::optional<WallTime> parse_time(const std::string& text) {
    // Milliseconds since the epoch; the CLI turns what people write into them.
    const auto value = number(text);
    if (!value) {
        return std::nullopt;
    }
    return WallTime{std::chrono::milliseconds{*value}};
}

std::optional<EventsAsked> parse_events(const Request& request, std::string& problem) {
    EventsAsked asked;
    const auto text = [&](const char* name) { return request.query(name); };
    if (const auto after = text("after"); !after.empty()) {
        const auto value = number(after);
        problem = value ? problem : "after: not a sequence number";
        asked.query.after = value.value_or(0);
    } else {
        asked.query.newest = true;
    }
    if (const auto since = text("since"); !since.empty()) {
        asked.query.since = parse_time(since);
        asked.query.newest = false;
        problem = asked.query.since ? problem : "since: not milliseconds since 1970";
    }
    if (const auto cls = text("class"); !cls.empty()) {
        const auto value = number(cls);
        problem = value ? problem : "class: not an OCSF class number";
        asked.query.class_uid = static_cast<int>(value.value_or(0));
    }
    if (const auto limit = text("limit"); !limit.empty()) {
        const auto value = number(limit);
        problem = value && *value > 0 ? problem : "limit: not a positive number";
        asked.query.limit = std::min<std::size_t>(value.value_or(1), 10'000);
    }
    asked.follow = text("follow") == "1";
    return problem.empty() ? std::optional(asked) : std::nullopt;
}

std::string lines_of(const std::vector<StoredEvent>& events) {
    std::string lines;
    for (const auto& event : events) {
        lines += event.json;
        lines += '\n';
    }
    return lines;
}

// New events as they come; each call waits a little for them.
std::function<std::optional<std::string>()> follow(Components& parts, const journal::Query& query) {
    auto at = std::make_shared<journal::Query>(query);
    return [&parts, at]() -> std::optional<std::string> {
        constexpr std::chrono::milliseconds kWait{400};
        parts.reporter().wait_beyond(at->after, kWait);
        const auto events = parts.reporter().journal().read(*at);
        if (!events) {
            return std::nullopt;
        }
        const auto newest = parts.reporter().journal().state().last;
        if (!events->empty()) {
            at->after = events->back().sequence;
        } else if (at->class_uid) {
            at->after = std::max(at->after, newest);  // none of this class up to there
        }
        return lines_of(*events);
    };
}

Response get_events(Components& parts, const Request& request) {
    std::string problem;
    const auto asked = parse_events(request, problem);
    if (!asked) {
        return error_response(400, "bad-request", problem);
    }
    const auto first = parts.reporter().journal().read(asked->query);
    if (!first) {
        return error_response(500, "journal", first.error().message());
    }
    if (!asked->follow) {
        return {.content_type = "application/x-ndjson", .body = lines_of(*first)};
    }
    auto query = asked->query;
    query.newest = false;
    query.since.reset();
    query.after = first->empty() ? parts.reporter().journal().state().last : first->back().sequence;
    auto rest = follow(parts, query);
    auto begin = std::make_shared<std::string>(lines_of(*first));
    return {.content_type = "application/x-ndjson",
            .next = [begin, rest = std::move(rest)]() -> std::optional<std::string> {
                return begin->empty() ? rest() : std::exchange(*begin, std::string{});
            }};
}

// ---- changing -------------------------------------------------------------------------------

Response post_self_test(Components& parts, const Request& /*request*/) {
    return ok_json(wire::to_json(parts.self_test()));
}

Response post_reload(Components& parts, const Request& /*request*/) {
    const auto result = parts.reload_policy();
    json body{{"valid", result.valid}, {"differences", result.differences}};
    body["problems"] = json::array();
    for (const auto& problem : result.problems) {
        body["problems"].push_back({{"file", utf8_lossy(problem.file)},
                                    {"line", problem.line},
                                    {"column", problem.column},
                                    {"key", utf8_lossy(problem.key)},
                                    {"message", utf8_lossy(problem.message)},
                                    {"suggestion", utf8_lossy(problem.suggestion)}});
    }
    auto response = ok_json(body.dump());
    response.status = result.valid ? 200 : 422;
    return response;
}

Response post_scan(Components& parts, const Request& request) {
    const auto body = json::parse(request.body, nullptr, false);
    std::vector<std::string> paths;
    if (body.is_object() && body.contains("paths") && body["paths"].is_array()) {
        for (const auto& path : body["paths"]) {
            if (path.is_string()) {
                paths.push_back(path.get<std::string>());
            } else if (path.is_object() && path.contains("base64") && path["base64"].is_string()) {
                paths.push_back(from_base64(path["base64"].get<std::string>()).value_or(""));
            }
        }
    }
    const bool absolute = std::ranges::all_of(paths, [](const std::string& path) {
        return path.starts_with('/') && path.find('\0') == std::string::npos;
    });
    constexpr std::size_t kMostPaths = 10'000;
    if (paths.empty() || !absolute || paths.size() > kMostPaths) {
        return error_response(
            400,
            "bad-request",
            "expected {\"paths\":[…]} with 1 to 10,000 absolute paths, each a string or "
            "{\"base64\":…}");
    }
    auto job = parts.on_demand().start(std::move(paths));
    if (!job) {
        return error_response(409, "busy", job.error().context);
    }
    auto response = ok_json(wire::to_json(*job));
    response.status = 202;
    return response;
}

// ---- below /v1/scans/ID and /v1/quarantine/ID -----------------------------------------------

// How long the caller wants to wait for the end of a scan; what is no number is no wish.
std::chrono::milliseconds wait_of(const Request& request) {
    constexpr unsigned kLongest = 400;  // a connection holds a thread
    const auto text = request.query("wait");
    unsigned wish = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), wish);
    return std::chrono::milliseconds{std::min(wish, kLongest)};
}

Response scan_by_id(Components& parts, const Request& request, const std::string& rest) {
    const auto slash = rest.find('/');
    const auto id = rest.substr(0, slash);
    const auto verb = slash == std::string::npos ? "" : rest.substr(slash + 1);
    if (request.method == "GET" && verb.empty()) {
        parts.on_demand().wait_ended(id, wait_of(request));
        const auto job = parts.on_demand().find(id);
        return job ? ok_json(wire::to_json(*job)) : not_found("no scan " + printable(id));
    }
    auto& scans = parts.on_demand();
    bool done = false;
    if (request.method == "DELETE" || verb == "cancel") {
        done = scans.cancel(id);
    } else if (verb == "pause") {
        done = scans.pause(id);
    } else if (verb == "resume") {
        done = scans.resume(id);
    } else {
        return not_found("unknown action '" + printable(verb) + "' (pause, resume, cancel)");
    }
    const auto job = scans.find(id);
    return done && job ? ok_json(wire::to_json(*job))
                       : not_found("no running scan " + printable(id));
}

Response restore(Components& parts, const Request& request, QuarantineItem item) {
    std::string to;
    if (!request.body.empty()) {
        const auto body = json::parse(request.body, nullptr, false);
        if (!body.is_object()) {
            return error_response(400, "bad-request", R"(expected {} or {"to":"/path"})");
        }
        if (body.contains("to_base64") && body["to_base64"].is_string()) {
            to = from_base64(body["to_base64"].get<std::string>()).value_or("");
        } else if (body.contains("to") && body["to"].is_string()) {
            to = body["to"].get<std::string>();
        }
    }
    const auto restored = parts.quarantine().restore(item, to);
    if (!restored) {
        return error_response(409, "not-restored", restored.error().message());
    }
    item.state = QuarantineState::Restored;
    journal::Change change;
    change.quarantine.push_back(item);
    change.events.push_back(
        {.correlation = Uuid{item.detection_uid},
         .severity = Severity::Minor,
         .message = fmt::format("{} restored to {}", item.threat, printable(*restored)),
         .body = ServiceBody{.action = ServiceAction::Restored,
                             .facts = {{"id", item.id}, {"path", utf8_lossy(*restored)}}}});
    if (!parts.reporter().commit(std::move(change))) {
        return error_response(500, "journal", "restored, but the journal could not be written");
    }
    // Only now: until the journal knows, the vault's copy is the only one it points to.
    if (const auto removed = parts.quarantine().remove(item); !removed) {
        return error_response(500, "vault", removed.error().message());
    }
    const json body{{"id", item.id}, {"restored_to", utf8_lossy(*restored)}};
    return ok_json(body.dump());
}

Response delete_item(Components& parts, QuarantineItem item) {
    item.state = QuarantineState::Deleted;
    journal::Change change;
    change.quarantine.push_back(item);
    change.events.push_back(
        {.correlation = Uuid{item.detection_uid},
         .severity = Severity::Minor,
         .message = fmt::format("{} deleted from quarantine", printable(item.path)),
         .body = ServiceBody{.action = ServiceAction::QuarantineDeleted,
                             .facts = {{"id", item.id}, {"path", utf8_lossy(item.path)}}}});
    if (!parts.reporter().commit(std::move(change))) {
        return error_response(500, "journal", "not deleted: the journal cannot be written");
    }
    if (const auto removed = parts.quarantine().remove(item); !removed) {
        return error_response(500, "vault", removed.error().message());
    }
    const json body{{"id", item.id}, {"deleted", true}};
    return ok_json(body.dump());
}

Response quarantine_by_id(Components& parts, const Request& request, const std::string& rest) {
    const auto slash = rest.find('/');
    const auto id = rest.substr(0, slash);
    const auto verb = slash == std::string::npos ? "" : rest.substr(slash + 1);
    auto item = parts.reporter().journal().quarantine(id);
    if (!item) {
        return error_response(500, "journal", item.error().message());
    }
    if (!item->has_value()) {
        return not_found("no quarantined item " + printable(id));
    }
    if (request.method == "GET") {
        return ok_json(wire::to_json(**item));
    }
    if ((*item)->state != QuarantineState::Quarantined) {
        return error_response(409, "not-there", "item " + id + " is not in quarantine any more");
    }
    if (request.method == "DELETE") {
        return delete_item(parts, std::move(**item));
    }
    return verb == "restore" ? restore(parts, request, std::move(**item))
                             : not_found("unknown action '" + printable(verb) + "' (restore)");
}

// ---- routes ---------------------------------------------------------------------------------

enum class Audience : std::uint8_t { Everybody, Full };

struct Route {
    std::string_view method;
    std::string_view path;
    Audience audience;
    Response (*answer)(Components&, const Request&);
};

constexpr std::array kRoutes{
    Route{"GET", "/v1/status", Audience::Everybody, get_status},
    Route{"GET", "/v1/faults", Audience::Everybody, get_faults},
    Route{"GET", "/v1/history", Audience::Full, get_history},
    Route{"GET", "/healthz", Audience::Everybody, get_health},
    Route{"GET", "/metrics", Audience::Full, get_metrics},
    Route{"GET", "/v1/selftest", Audience::Everybody, get_self_test},
    Route{"GET", "/v1/events", Audience::Full, get_events},
    Route{"GET", "/v1/quarantine", Audience::Full, get_quarantine},
    Route{"GET", "/v1/policy", Audience::Full, get_policy},
    Route{"GET", "/v1/definitions", Audience::Full, get_definitions},
    Route{"GET", "/v1/scans", Audience::Full, get_scans},
    Route{"GET", "/v1/top", Audience::Full, get_top},
    Route{"GET", "/v1/exclusions", Audience::Full, get_exclusions},
    Route{"GET", "/v1/exclusions/test", Audience::Full, test_exclusions},
    Route{"GET", "/v1/exclusions/suggest", Audience::Full, suggest_exclusions},
    Route{"POST", "/v1/exclusions", Audience::Full, post_exclusion},
    Route{"DELETE", "/v1/exclusions", Audience::Full, delete_exclusion},
    Route{"POST", "/v1/selftest", Audience::Full, post_self_test},
    Route{"POST", "/v1/scans", Audience::Full, post_scan},
    Route{"POST", "/v1/policy/reload", Audience::Full, post_reload},
};

Response refuse() {
    return error_response(
        403, "forbidden", "only root and members of group adm may see this; ask an administrator");
}

Response dispatch(Components& parts, const Request& request) {
    bool known_path = false;
    for (const auto& route : kRoutes) {
        if (route.path != request.path) {
            continue;
        }
        known_path = true;
        if (route.method == request.method) {
            const bool allowed = route.audience == Audience::Everybody || request.caller.full;
            return allowed ? route.answer(parts, request) : refuse();
        }
    }
    constexpr std::string_view kFaults = "/v1/faults/";
    constexpr std::string_view kScans = "/v1/scans/";
    constexpr std::string_view kQuarantine = "/v1/quarantine/";
    const bool below = request.path.starts_with(kScans) || request.path.starts_with(kQuarantine);
    if (below && !request.caller.full) {
        return refuse();
    }
    if (request.path.starts_with(kFaults)) {
        return fault_by_id(parts, request, request.path.substr(kFaults.size()));
    }
    if (request.path.starts_with(kScans)) {
        return scan_by_id(parts, request, request.path.substr(kScans.size()));
    }
    if (request.path.starts_with(kQuarantine)) {
        return quarantine_by_id(parts, request, request.path.substr(kQuarantine.size()));
    }
    return known_path ? error_response(405, "method", request.method + " is not possible here")
                      : not_found("no such path: " + printable(request.path));
}

}  // namespace

control::ControlServer::Handler make_api(Components& components) {
    return [&components](const Request& request) {
        if (request.method != "GET" && !request.caller.may_change) {
            return error_response(
                403, "read-only", "changes are made by root through control.sock");
        }
        return dispatch(components, request);
    };
}

}  // namespace vigia::daemon
