// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/api_faults.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "health/catalogue.h"
#include "health/render.h"
#include "health/repairs.h"
#include "wire/fault_json.h"

namespace vigia::daemon {
namespace {

using control::error_response;
using control::Request;
using control::Response;
using nlohmann::json;

Language language_of(const Request& request) {
    return request.query("lang") == "es" ? Language::Spanish : Language::English;
}

Response ok_json(std::string body) {
    body += '\n';
    return {.body = std::move(body)};
}

// What is left when the evidence must not be shown: which fault, which cause, what is lost.
FaultReport without_evidence(const Episode& episode, Language language) {
    auto bare = episode;
    bare.evidence = Evidence::Members{};
    auto report = health::render(bare, language);
    std::erase_if(report.remedy, [](const FaultReport::Step& step) {
        return step.text.find("…") != std::string::npos;
    });
    report.heal_last_result.clear();
    return report;
}

Response fix(Components& parts, const health::Fault& fault, const std::string& body) {
    const auto asked = json::parse(body.empty() ? "{}" : body, nullptr, false);
    if (!asked.is_object()) {
        return error_response(
            400, "bad-request", R"(expected {}, {"dry_run":true} or {"yes":true})");
    }
    const auto is_set = [&](const char* name) {
        return asked.contains(name) && asked[name].is_boolean() && asked[name].get<bool>();
    };
    const bool dry_run = is_set("dry_run");
    const auto open = parts.health().view().open;
    const auto found = std::ranges::find(open, int{fault.id}, &Episode::id);
    if (found == open.end()) {
        return error_response(409, "not-raised", fmt::format("fault {} is not raised", fault.id));
    }
    const auto* cause = health::find_cause(fault, found->cause);
    if (cause == nullptr || cause->heal.action == health::Heal::None) {
        return error_response(
            409,
            "no-repair",
            fmt::format("fault {} ({}) has no automatic repair; follow its remedy: vigia faults "
                        "show {}",
                        fault.id,
                        found->cause,
                        fault.id));
    }
    json answer{{"id", int{fault.id}},
                {"cause", found->cause},
                {"repair", std::string(health::name_of(cause->heal.action))},
                {"dry_run", dry_run}};
    answer["does"] = std::string(health::describe(cause->heal.action).in(Language::English));
    const bool consented = cause->heal.consent != health::Consent::Packages || is_set("yes") ||
                           parts.policies().current()->policy->faults.install_packages;
    if (!dry_run && !consented) {
        return error_response(
            409,
            "needs-consent",
            fmt::format("this installs a package; say so: vigia faults fix {} --yes (or set "
                        "install_packages = true in [faults] of the policy)",
                        fault.id));
    }
    if (!dry_run) {
        const auto done = parts.health().fix(fault.id);
        if (!done) {
            return error_response(409, "not-repaired", done.error().context);
        }
        answer["ok"] = done->result.empty();
        answer["result"] = done->result.empty() ? "done" : utf8_lossy(done->result);
    }
    return ok_json(answer.dump());
}

}  // namespace

std::vector<FaultReport> raised_faults(const std::vector<Episode>& open,
                                       bool full,
                                       Language language) {
    std::vector<FaultReport> reports;
    reports.reserve(open.size());
    for (const auto& episode : open) {
        reports.push_back(full ? health::render(episode, language)
                               : without_evidence(episode, language));
    }
    std::ranges::sort(reports, {}, &FaultReport::id);
    return reports;
}

Response get_faults(Components& parts, const Request& request) {
    return ok_json(wire::faults_json(
        raised_faults(parts.health().view().open, request.caller.full, language_of(request))));
}

Response get_history(Components& parts, const Request& request) {
    constexpr std::size_t kUsual = 100;
    std::size_t limit = kUsual;
    if (const auto text = request.query("limit"); !text.empty()) {
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), limit);
        if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || limit == 0) {
            return error_response(400, "bad-request", "limit: not a positive number");
        }
    }
    const auto episodes = parts.reporter().journal().episodes(false, limit);
    return episodes ? ok_json(wire::history_json(*episodes))
                    : error_response(500, "journal", episodes.error().message());
}

Response fault_by_id(Components& parts, const Request& request, const std::string& rest) {
    const auto slash = rest.find('/');
    const auto name = rest.substr(0, slash);
    const auto verb = slash == std::string::npos ? "" : rest.substr(slash + 1);
    const auto* fault = health::fault_named(name);
    if (fault == nullptr) {
        return error_response(404, "not-found", "there is no fault " + printable(name));
    }
    if (request.method == "POST" && verb == "fix") {
        return fix(parts, *fault, request.body);
    }
    if (request.method != "GET" || !verb.empty()) {
        return error_response(404, "not-found", "unknown action '" + printable(verb) + "' (fix)");
    }
    auto reports =
        raised_faults(parts.health().view().open, request.caller.full, language_of(request));
    const auto found = std::ranges::find(reports, int{fault->id}, &FaultReport::id);
    return found == reports.end()
               ? error_response(
                     404, "not-raised", fmt::format("fault {} is not raised", int{fault->id}))
               : ok_json(wire::to_json(*found));
}

}  // namespace vigia::daemon
