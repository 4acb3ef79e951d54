// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/api_programs.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/base64.h"
#include "base/text.h"
#include "policy/literals.h"
#include "wire/exact_bytes.h"

namespace vigia::daemon {
namespace {

using control::error_response;
using control::Request;
using control::Response;
using Json = nlohmann::ordered_json;

Response ok_json(const Json& body) {
    return {.body = body.dump() + '\n'};
}

// ---- who costs what -------------------------------------------------------------------------

Json load_json(const ProgramLoad& load) {
    Json object;
    wire::put_bytes(object, "path", load.path);
    object["user"] = utf8_lossy(load.user);
    object["processes"] = load.processes;
    object["events_per_second"] = load.events_per_second;
    object["scans"] = load.scans;
    object["scan_seconds"] = load.scan_seconds;
    object["share"] = load.share;
    object["writes"] = Json::array();
    for (const auto& folder : load.writes) {
        object["writes"].push_back(utf8_lossy(folder));
    }
    object["exclusion"] = utf8_lossy(load.exclusion);
    object["warning"] = load.warning;
    return object;
}

// ---- the rules ------------------------------------------------------------------------------

Json rule_json(const policy::ExclusionRule& rule) {
    Json object{{"kind", policy::word_for(rule.kind)}};
    wire::put_bytes(object, "value", rule.value);
    object["user"] = rule.user;
    object["children"] = rule.children;
    return object;
}

std::vector<policy::ExclusionRule> rules_of(const ExclusionSet& set) {
    using policy::RuleKind;
    std::vector<policy::ExclusionRule> rules;
    const auto append = [&rules](RuleKind kind, const std::vector<std::string>& values) {
        for (const auto& value : values) {
            rules.push_back({.kind = kind, .value = value});
        }
    };
    append(RuleKind::Path, set.paths);
    append(RuleKind::Wildcard, set.wildcards);
    append(RuleKind::Extension, set.extensions);
    append(RuleKind::Threat, set.threats);
    for (const auto& process : set.processes) {
        rules.push_back({.kind = RuleKind::Process,
                         .value = process.path,
                         .user = process.user,
                         .children = process.children});
    }
    return rules;
}

// As a match calls it.
std::string match_text(const policy::ExclusionRule& rule) {
    return rule.kind == policy::RuleKind::Process
               ? policy::rule_text({.path = rule.value, .user = rule.user})
               : fmt::format("{} {}", policy::word_for(rule.kind), rule.value);
}

bool has_expired(const ExclusionSet& set, WallTime now) {
    return set.expires && std::chrono::floor<std::chrono::days>(now) >= *set.expires;
}

Json set_json(const ExclusionSet& set, const ExclusionEffects& effects, WallTime now) {
    Json object{{"name", set.name},
                {"reason", set.reason},
                {"expires", set.expires ? Json(policy::date_text(*set.expires)) : Json(nullptr)},
                {"expired", has_expired(set, now)}};
    object["rules"] = Json::array();
    for (const auto& rule : rules_of(set)) {
        auto entry = rule_json(rule);
        entry["left_out"] = effects.of(set.name, match_text(rule));
        object["rules"].push_back(std::move(entry));
    }
    return object;
}

Json match_json(const policy::ExclusionMatch& match) {
    Json object{{"excluded", match.excluded}};
    wire::put_bytes(object, "rule", match.rule);
    object["set"] = match.set;
    object["why"] = match.why;
    return object;
}

// ---- changes --------------------------------------------------------------------------------

Response bad_request(const std::string& message) {
    return error_response(400, "bad-request", message);
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
    constexpr std::size_t kLength = 10;  // 2027-01-01
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    const auto number = [&](std::size_t at, std::size_t length, auto& value) {
        const auto* const begin = text.data() + at;
        const auto parsed = std::from_chars(begin, begin + length, value);
        return parsed.ec == std::errc{} && parsed.ptr == begin + length;
    };
    if (text.size() != kLength || text[4] != '-' || text[7] != '-' || !number(0, 4, year) ||
        !number(5, 2, month) || !number(8, 2, day)) {
        return std::nullopt;
    }
    const auto date = std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day);
    return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

// Nothing and a problem, if a member is not of the kind it has to be.
class Members {
public:
    explicit Members(const Json& body) : body_(body) {}

    [[nodiscard]] std::string text(const char* key) {
        const auto exact = std::string(key) + "_base64";
        if (body_.contains(exact) && body_[exact].is_string()) {
            auto bytes = from_base64(body_[exact].get<std::string>());
            problem_ = bytes ? problem_ : exact + ": not base64";
            return bytes.value_or("");
        }
        if (!body_.contains(key) || body_[key].is_null()) {
            return {};
        }
        problem_ = body_[key].is_string() ? problem_ : std::string(key) + ": not a string";
        return body_[key].is_string() ? body_[key].get<std::string>() : std::string{};
    }

    [[nodiscard]] bool flag(const char* key) {
        if (!body_.contains(key) || body_[key].is_null()) {
            return false;
        }
        problem_ = body_[key].is_boolean() ? problem_ : std::string(key) + ": not a boolean";
        return body_[key].is_boolean() && body_[key].get<bool>();
    }

    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    const Json& body_;
    std::string problem_;
};

Response answer(const Components::PolicyEdit& edit,
                const Components& parts,
                const std::string& set,
                const policy::ExclusionRule& rule) {
    if (edit.refused) {
        using Kind = policy::EditRefusal::Kind;
        const bool theirs = edit.refused->kind == Kind::Invalid;
        return error_response(
            theirs ? 400 : 409, theirs ? "bad-request" : "not-changed", edit.refused->message);
    }
    if (edit.failed) {
        return error_response(500, "policy-file", edit.failed->message());
    }
    if (!edit.reloaded.valid) {
        return error_response(409, "policy-refused", edit.reloaded.in_force);
    }
    Json body{{"set", set}, {"rule", rule_json(rule)}};
    wire::put_bytes(body, "file", parts.policies().file().native());
    body["differences"] = Json::array();
    for (const auto& difference : edit.reloaded.differences) {
        body["differences"].push_back(utf8_lossy(difference));
    }
    return ok_json(body);
}

}  // namespace

Response get_top(Components& parts, const Request& /*request*/) {
    const auto report = parts.program_costs();
    Json body{{"window_seconds", CostWindow::kLength.count()}, {"programs", Json::array()}};
    for (const auto& program : report.programs) {
        // What cost something a while ago is for advice only.
        if (program.load.events_per_second > 0 || program.load.scans > 0) {
            body["programs"].push_back(load_json(program.load));
        }
    }
    body["others"] = {{"displaced", report.displaced},
                      {"events_per_second", report.others.events_per_second},
                      {"scans", report.others.scans},
                      {"scan_seconds", report.others.scan_seconds},
                      {"share", report.others.share}};
    return ok_json(body);
}

Response get_exclusions(Components& parts, const Request& /*request*/) {
    const auto policy = parts.policies().current();
    Json body{{"sets", Json::array()}};
    for (const auto& set : policy->policy->exclusions) {
        body["sets"].push_back(set_json(set, parts.effects(), parts.now()));
    }
    return ok_json(body);
}

Response test_exclusions(Components& parts, const Request& request) {
    const auto path = request.query("path");
    const auto program = request.query("process");
    const auto user = request.query("user");
    if (!path.starts_with('/') || path.contains('\0')) {
        return bad_request("path: not an absolute path");
    }
    const auto policy = parts.policies().current();
    const auto look = [&](WallTime now) {
        auto match = policy->exclusions.match_path(path, now);
        return match.excluded || program.empty()
                   ? match
                   : policy->exclusions.match_process({.program = program, .user = user}, now);
    };
    auto body = match_json(look(parts.now()));
    const auto ever = look(WallTime{});  // long before anything expired
    body["expired"] =
        !body["excluded"].get<bool>() && ever.excluded ? Json(ever.set) : Json(nullptr);
    return ok_json(body);
}

Response suggest_exclusions(Components& parts, const Request& /*request*/) {
    Json body{{"suggestions", Json::array()}};
    for (const auto& suggestion : parts.suggestions()) {
        Json entry{{"rule", rule_json(suggestion.rule)}};
        wire::put_bytes(entry, "program", suggestion.program);
        entry["user"] = utf8_lossy(suggestion.user);
        entry["share"] = suggestion.share;
        entry["warning"] = suggestion.warning;
        entry["command"] = utf8_lossy(suggestion.command);
        body["suggestions"].push_back(std::move(entry));
    }
    return ok_json(body);
}

Response post_exclusion(Components& parts, const Request& request) {
    const auto body = Json::parse(request.body, nullptr, false);
    if (!body.is_object()) {
        return bad_request(R"(expected {"set":…,"kind":…,"value":…,"reason":…})");
    }
    Members members(body);
    const auto kind = policy::rule_kind(members.text("kind"));
    policy::ExclusionAddition addition{.set = members.text("set"),
                                       .rule = {.kind = kind.value_or(policy::RuleKind::Path),
                                                .value = members.text("value"),
                                                .user = members.text("user"),
                                                .children = members.flag("children")},
                                       .reason = members.text("reason")};
    const auto expires = members.text("expires");
    if (!members.problem().empty()) {
        return bad_request(members.problem());
    }
    if (!kind) {
        return bad_request("kind: one of path, wildcard, extension, threat, process");
    }
    if (!expires.empty()) {
        addition.expires = parse_day(expires);
        if (!addition.expires) {
            return bad_request(
                fmt::format("expires: '{}' is not a date such as 2027-01-31", printable(expires)));
        }
    }
    const auto today = std::chrono::floor<std::chrono::days>(parts.now());
    return answer(parts.edit_policy([&](std::string_view text) {
        return policy::add_exclusion(text, addition, today);
    }),
                  parts,
                  addition.set,
                  addition.rule);
}

Response delete_exclusion(Components& parts, const Request& request) {
    const auto kind = policy::rule_kind(request.query("kind"));
    if (!kind) {
        return bad_request("kind: one of path, wildcard, extension, threat, process");
    }
    const auto set = request.query("set");
    const policy::ExclusionRule rule{.kind = *kind,
                                     .value = request.query("value"),
                                     .user = request.query("user"),
                                     .children = request.query("children") == "1"};
    return answer(parts.edit_policy([&](std::string_view text) {
        return policy::remove_exclusion(text, set, rule);
    }),
                  parts,
                  set,
                  rule);
}

}  // namespace vigia::daemon
