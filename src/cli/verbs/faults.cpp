// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

#include "base/text.h"
#include "cli/severity.h"
#include "cli/verbs.h"
#include "health/catalogue.h"
#include "health/repairs.h"
#include "wire/fault_json.h"

namespace vigia::cli {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr long kOk = 200;
constexpr long kNotFound = 404;

std::string in_language(const Context& context, const std::string& path) {
    return path + (context.language == Language::Spanish ? "?lang=es" : "?lang=en");
}

void print_wrapped(std::string_view indent, std::string_view text) {
    constexpr std::size_t kWidth = 96;
    std::string line(indent);
    std::size_t begin = 0;
    while (begin < text.size()) {
        auto end = text.find(' ', begin);
        end = end == std::string_view::npos ? text.size() : end;
        const auto word = text.substr(begin, end - begin);
        if (line.size() > indent.size() && line.size() + 1 + word.size() > kWidth) {
            fmt::print("{}\n", line);
            line = indent;
        }
        line += (line.size() > indent.size() ? " " : "") + std::string(word);
        begin = end + 1;
    }
    fmt::print("{}\n", line);
}

void print_steps(const Context& context, const json& fault) {
    fmt::print("  {}\n", context.say({"What to do", "Qué hacer"}));
    int number = 0;
    for (const auto& step : fault.at("remedy")) {
        print_wrapped(fmt::format("   {}. ", ++number), sentence_member(step, "text"));
        if (step.contains("command")) {
            fmt::print("        {}\n",
                       paint(context, Tone::Strong, sentence_member(step, "command")));
        }
    }
}

void print_fault(const Context& context, const json& fault) {
    const auto severity = fault.value("severity", "");
    fmt::print("{}\n",
               paint(context,
                     tone_of_severity(severity),
                     fmt::format("{} {} · {} · {}",
                                 context.say({"Fault", "Fallo"}),
                                 fault.value("id", 0),
                                 severity_text(severity, context.language),
                                 sentence_member(fault, "title"))));
    print_wrapped("  ", sentence_member(fault, "description"));
    if (const auto lost = sentence_member(fault, "lost_capability"); !lost.empty()) {
        print_wrapped("  ", lost);
    }
    if (fault.contains("raised_at") && fault["raised_at"].is_string()) {
        fmt::print(
            "  {} {}{}; {} {}\n",
            context.say({"Since", "Desde"}),
            local_time(fault.value("raised_at", "")),
            fault.value("flapping", false) ? context.say({", comes and goes", ", va y viene"}) : "",
            context.say({"cause", "causa"}),
            printable_member(fault, "cause"));
    }
    print_steps(context, fault);
}

void print_evidence(const Context& context, const json& fault) {
    fmt::print("  {}\n", context.say({"Evidence", "Evidencia"}));
    for (const auto& [key, value] : fault.at("evidence").items()) {
        if (!value.is_array() || value.empty()) {
            fmt::print("    {:<22} {}\n",
                       printable(key),
                       printable(value.is_string() ? value.get<std::string>() : value.dump()));
            continue;
        }
        fmt::print("    {}\n", printable(key));
        for (const auto& one : value) {
            fmt::print("      {}\n",
                       printable(one.is_string() ? one.get<std::string>() : one.dump()));
        }
    }
    const auto& heal = fault.at("heal");
    if (heal.value("attempts", 0) > 0) {
        fmt::print("  {}: {}, {}\n",
                   context.say({"Repairs tried", "Reparaciones intentadas"}),
                   heal.value("attempts", 0),
                   sentence_member(heal, "last_result"));
    }
}

Exit list(const Context& context) {
    auto exit = Exit::Fine;
    const auto answer = fetch(context, in_language(context, "/v1/faults"), exit);
    if (!answer) {
        return exit;
    }
    const auto& faults = answer->at("faults");
    if (context.json) {
        fmt::print("{}\n", answer->dump());
    } else if (faults.empty()) {
        fmt::print("{}\n",
                   paint(context,
                         Tone::Good,
                         context.say({"no fault is raised", "no hay ningún fallo activo"})));
    } else {
        for (const auto& fault : faults) {
            print_fault(context, fault);
            fmt::print("\n");
        }
    }
    return faults.empty() ? Exit::Fine : Exit::No;
}

Exit no_such_fault(const Context& context, const std::string& name) {
    fmt::print(stderr,
               "vigia faults: {} {} ({} vigia faults catalogue)\n",
               context.say({"there is no fault", "no existe el fallo"}),
               printable(name),
               context.say({"see", "véase"}));
    return Exit::Usage;
}

Exit show(const Context& context, const std::string& name) {
    const auto* fault = health::fault_named(name);
    if (fault == nullptr) {
        return no_such_fault(context, name);
    }
    const auto reply =
        context.client().get(in_language(context, "/v1/faults/" + std::to_string(fault->id)));
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status == kNotFound) {
        if (context.json) {
            fmt::print("null\n");
        } else {
            fmt::print("{} {}: {}\n",
                       context.say({"fault", "fallo"}),
                       fault->id,
                       context.say({"not raised", "no está activo"}));
        }
        return Exit::Fine;
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    if (context.json) {
        fmt::print("{}", reply->body);
        return Exit::No;
    }
    const auto report = json::parse(reply->body, nullptr, false);
    print_fault(context, report);
    print_evidence(context, report);
    return Exit::No;
}

// ---- without a daemon -------------------------------------------------------------------------

ordered_json catalogue_json(const health::Fault& fault, const Context& context) {
    ordered_json entry;
    entry["id"] = int{fault.id};
    entry["key"] = fault.key;
    entry["severity"] = wire::severity_word(fault.severity);
    entry["title"] = fault.title.in(context.language);
    entry["summary"] = fault.summary.in(context.language);
    entry["gate"] = fault.gate.empty() ? ordered_json(nullptr) : ordered_json(fault.gate);
    entry["causes"] = ordered_json::array();
    for (const auto& cause : fault.causes) {
        ordered_json one{{"cause", cause.word},
                         {"description", cause.description.in(context.language)},
                         {"lost_capability", cause.lost.in(context.language)},
                         {"repair", health::name_of(cause.heal.action)}};
        one["remedy"] = ordered_json::array();
        for (const auto& step : cause.remedy) {
            ordered_json said{{"text", step.text.in(context.language)}};
            if (!step.command.empty()) {
                said["command"] = step.command;
            }
            one["remedy"].push_back(std::move(said));
        }
        entry["causes"].push_back(std::move(one));
    }
    return entry;
}

Exit explain(const Context& context, const std::string& name) {
    const auto* fault = health::fault_named(name);
    if (fault == nullptr) {
        return no_such_fault(context, name);
    }
    const auto entry = catalogue_json(*fault, context);
    if (context.json) {
        fmt::print("{}\n", entry.dump());
        return Exit::Fine;
    }
    fmt::print("{} {} · {} · {}\n",
               context.say({"Fault", "Fallo"}),
               fault->id,
               severity_text(wire::severity_word(fault->severity), context.language),
               fault->title.in(context.language));
    print_wrapped("  ", fault->summary.in(context.language));
    if (!fault->gate.empty()) {
        fmt::print("  {}: {}\n",
                   context.say({"Only while policy asks for", "Solo mientras la política pide"}),
                   fault->gate);
    }
    for (const auto& cause : fault->causes) {
        fmt::print("\n  {}\n", paint(context, Tone::Strong, cause.word));
        print_wrapped("    ", cause.description.in(context.language));
        print_wrapped("    ", cause.lost.in(context.language));
        for (const auto& step : cause.remedy) {
            print_wrapped("    - ", step.text.in(context.language));
            if (!step.command.empty()) {
                fmt::print("        {}\n", step.command);
            }
        }
        if (cause.heal.action != health::Heal::None) {
            print_wrapped("    ",
                          fmt::format("{} {}",
                                      context.say({"Repairs itself:", "Se repara solo:"}),
                                      health::describe(cause.heal.action).in(context.language)));
        }
    }
    return Exit::Fine;
}

Exit catalogue(const Context& context) {
    if (context.json) {
        ordered_json all{{"faults", ordered_json::array()}};
        for (const auto* fault : health::catalogue()) {
            all["faults"].push_back(catalogue_json(*fault, context));
        }
        fmt::print("{}\n", all.dump());
        return Exit::Fine;
    }
    for (const auto* fault : health::catalogue()) {
        fmt::print("{:>4}  {:<36} {}\n", fault->id, fault->key, fault->title.in(context.language));
    }
    return Exit::Fine;
}

// ---- history and repair -----------------------------------------------------------------------

Exit history(const Context& context, std::uint32_t limit) {
    auto exit = Exit::Fine;
    const auto answer = fetch(context, fmt::format("/v1/history?limit={}", limit), exit);
    if (!answer) {
        return exit;
    }
    if (context.json) {
        fmt::print("{}\n", answer->dump());
        return Exit::Fine;
    }
    for (const auto& episode : answer->at("episodes")) {
        const bool open = episode.at("cleared_at").is_null();
        const auto ended = open ? std::string(context.say({"still raised", "sigue activo"}))
                                : fmt::format("{} ({})",
                                              local_time(episode.value("cleared_at", "")),
                                              sentence_member(episode, "cleared_because"));
        fmt::print("{}  {:>4}  {:<9} {:<24} {}\n",
                   local_time(episode.value("raised_at", "")),
                   episode.value("id", 0),
                   severity_text(episode.value("severity", ""), context.language),
                   printable_member(episode, "cause"),
                   ended);
    }
    if (answer->at("episodes").empty()) {
        fmt::print("{}\n", context.say({"no fault so far", "ningún fallo hasta ahora"}));
    }
    return Exit::Fine;
}

Exit fix(const Context& context, const std::string& name, bool dry_run, bool yes) {
    const auto* fault = health::fault_named(name);
    if (fault == nullptr) {
        return no_such_fault(context, name);
    }
    const json body{{"dry_run", dry_run}, {"yes", yes}};
    const auto reply =
        context.client().post("/v1/faults/" + std::to_string(fault->id) + "/fix", body.dump());
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    const auto answer = json::parse(reply->body, nullptr, false);
    const bool ok = dry_run || answer.value("ok", false);
    if (context.json) {
        fmt::print("{}", reply->body);
        return ok ? Exit::Fine : Exit::No;
    }
    Text does;
    for (const auto& cause : fault->causes) {
        if (cause.word == answer.value("cause", "")) {
            does = health::describe(cause.heal.action);
        }
    }
    fmt::print(
        "{} {}\n",
        dry_run ? context.say({"would do:", "haría:"}) : context.say({"repair:", "reparación:"}),
        does.in(context.language));
    if (!dry_run) {
        fmt::print("{}\n",
                   ok ? paint(context, Tone::Good, context.say({"done", "hecho"}))
                      : paint(context, Tone::Bad, sentence_member(answer, "result")));
    }
    return ok ? Exit::Fine : Exit::No;
}

}  // namespace

Verb faults_verb() {
    struct Asked {
        std::string id;
        bool dry_run = false;
        bool yes = false;
        std::uint32_t limit = 100;
    };

    auto asked = std::make_shared<Asked>();
    const Position which{.name = "ID",
                         .help = {"number or key of the fault", "número o clave del fallo"},
                         .into = &asked->id};
    return {
        .name = "faults",
        .help = {"what is wrong, why, and what to do", "qué falla, por qué y qué hacer"},
        .verbs =
            {{.name = "list",
              .help = {"the faults raised now; exit status 1 if there are any",
                       "los fallos activos; salida 1 si hay alguno"},
              .action = list},
             {.name = "show",
              .help = {"one raised fault with its evidence", "un fallo activo con su evidencia"},
              .positions = {which},
              .action = [asked](const Context& context) { return show(context, asked->id); }},
             {.name = "explain",
              .help = {"what a fault means, all its causes and remedies; needs no daemon",
                       "qué significa un fallo, sus causas y remedios; no necesita el servicio"},
              .positions = {which},
              .action = [asked](const Context& context) { return explain(context, asked->id); }},
             {.name = "history",
              .help = {"episodes, the newest last", "episodios, el último al final"},
              .options = {{.name = "--limit",
                           .value = "N",
                           .help = {"at most so many", "como máximo"},
                           .least = 1,
                           .most = 10'000,
                           .into = &asked->limit}},
              .action = [asked](const Context& context) { return history(context, asked->limit); }},
             {.name = "fix",
              .help = {"do the automatic repair now", "hace ahora la reparación automática"},
              .options = {{.name = "--dry-run",
                           .help = {"only say what it would do", "solo dice qué haría"},
                           .into = &asked->dry_run},
                          {.name = "--yes",
                           .help = {"also if it installs a package",
                                    "también si instala un paquete"},
                           .into = &asked->yes}},
              .positions = {which},
              .action =
                  [asked](const Context& context) {
                      return fix(context, asked->id, asked->dry_run, asked->yes);
                  }},
             {.name = "catalogue",
              .help = {"every fault there is; needs no daemon",
                       "todos los fallos posibles; no necesita el servicio"},
              .action = catalogue}},
        .action = list};
}

}  // namespace vigia::cli
