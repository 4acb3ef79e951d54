// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/severity.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

using nlohmann::json;

Tone tone_of(const std::string& state) {
    if (state == "protected" || state == "ok" || state == "ready") {
        return Tone::Good;
    }
    if (state == "off") {
        return Tone::Faint;
    }
    return state == "failed" || state == "unprotected" ? Tone::Bad : Tone::Warning;
}

void line(const Context& context, const Text& name, const std::string& value) {
    constexpr std::size_t kWidth = 14;
    fmt::print("  {}{}\n", padded(context.say(name), kWidth), value);
}

std::string state_text(const Context& context, const std::string& state) {
    return paint(context, tone_of(state), fmt::format("{:<9}", state));
}

void print_unwatched(const Context& context, const json& places) {
    for (const auto& place : places) {
        if (place.value("state", "") == "unwatched") {
            line(context,
                 {"", ""},
                 paint(context,
                       Tone::Warning,
                       fmt::format("{}: {} ({}) {}",
                                   context.say({"not watched", "sin vigilar"}),
                                   printable_member(place, "path"),
                                   printable_member(place, "type"),
                                   sentence_member(place, "detail"))));
        }
    }
}

void print_monitors(const Context& context, const json& status) {
    for (const auto& monitor : status.at("monitors")) {
        const auto name = monitor.value("name", "");
        const Text label = name == "files"       ? Text{"Files", "Archivos"}
                           : name == "exec"      ? Text{"Execution", "Ejecución"}
                           : name == "processes" ? Text{"Processes", "Procesos"}
                                                 : Text{"Network", "Red"};
        const auto backend = monitor.value("backend", "");
        const auto detail = sentence_member(monitor, "detail");
        line(context,
             label,
             fmt::format("{}{}{}{}",
                         state_text(context, monitor.value("state", "")),
                         printable(backend),
                         backend.empty() || detail.empty() ? "" : ", ",
                         detail));
        print_unwatched(context, monitor.value("places", json::array()));
    }
}

void print_scan(const Context& context, const json& scan) {
    line(context,
         {"Scan service", "Análisis"},
         fmt::format("{}{} {} {} {}; {} {}, {} {}, {} {}",
                     state_text(context, scan.value("state", "")),
                     scan.value("workers", 0U),
                     context.say({"workers", "procesos"}),
                     context.say({"as", "como"}),
                     printable_member(scan, "user"),
                     grouped(scan.value("files_scanned", std::uint64_t{0})),
                     context.say({"scanned", "analizados"}),
                     grouped(scan.value("pending", std::uint64_t{0})),
                     context.say({"pending", "pendientes"}),
                     grouped(scan.value("detections", std::uint64_t{0})),
                     context.say({"detections", "detecciones"})));
    const auto detail = sentence_member(scan, "detail");
    if (!detail.empty()) {
        line(context, {"", ""}, paint(context, Tone::Warning, detail));
    }
}

void print_accounting(const Context& context, const json& status) {
    for (const auto& entry : status.at("accounting")) {
        std::string filtered;
        for (const auto& [reason, count] : entry.at("filtered").items()) {
            if (count == 0) {
                continue;
            }
            filtered += fmt::format("{}{} {}",
                                    filtered.empty() ? "" : ", ",
                                    printable(reason),
                                    grouped(count.get<std::uint64_t>()));
        }
        line(context,
             {"Events", "Eventos"},
             fmt::format(
                 "{}: {} {}, {} {}{}{}, {} {}{}",
                 printable_member(entry, "class"),
                 grouped(entry.value("offered", std::uint64_t{0})),
                 context.say({"read", "leídos"}),
                 grouped(entry.value("delivered", std::uint64_t{0})),
                 context.say({"delivered", "entregados"}),
                 filtered.empty() ? "" : "; ",
                 filtered,
                 entry.value("overflows", std::uint64_t{0}),
                 context.say({"overflows", "desbordamientos"}),
                 entry.value("exact", false) ? "" : context.say({" (not exact)", " (no exacto)"})));
    }
}

// Only where there is something to say.
void print_load(const Context& context, const json& status) {
    const auto& load = status.at("load");
    if (load.value("level", 0U) > 0) {
        const auto& rate = load.at("events_per_second");
        line(context,
             {"Load", "Carga"},
             paint(context,
                   Tone::Warning,
                   fmt::format("{} {} ({}), {}: {}; {:.0f} {}",
                               context.say({"level", "nivel"}),
                               load.value("level", 0U),
                               printable_member(status, "mode"),
                               context.say({"because of", "a causa de"}),
                               sentence_member(load, "reason"),
                               rate.value("offered", 0.0),
                               context.say({"events a second", "eventos por segundo"}))));
    }
    const auto& catch_up = status.at("catch_up");
    const auto state = catch_up.value("state", "none");
    if (state == "none") {
        return;
    }
    std::string share;
    if (catch_up.at("share").is_number()) {
        constexpr double kPercent = 100;
        share = fmt::format(", {:.0f} %", catch_up["share"].get<double>() * kPercent);
    }
    const Text word = state == "waiting" ? Text{"waiting for calm", "espera a que haya calma"}
                                         : Text{"looking", "buscando"};
    line(context,
         {"Catch-up", "Pendiente"},
         fmt::format("{}: {} {}, {} {}, {} {}{}; {} {}",
                     context.say(word),
                     grouped(catch_up.value("files_deferred", std::uint64_t{0})),
                     context.say({"files put off", "archivos aplazados"}),
                     grouped(catch_up.value("files_found", std::uint64_t{0})),
                     context.say({"found", "hallados"}),
                     grouped(catch_up.value("folders_walked", std::uint64_t{0})),
                     context.say({"folders", "carpetas"}),
                     share,
                     context.say({"changed since", "cambiados desde"}),
                     catch_up.at("since").is_string()
                         ? local_time(catch_up["since"].get<std::string>())
                         : "?"));
    for (const auto& place : catch_up.at("without_ctime")) {
        line(context,
             {"", ""},
             fmt::format("{}: {}",
                         context.say({"walked as a whole, its times do not say what changed",
                                      "se recorre entero, sus fechas no dicen qué cambió"}),
                         printable(place.get<std::string>())));
    }
}

void print_self_test(const Context& context, const json& status) {
    if (!status.contains("selftest") || status["selftest"].is_null()) {
        line(context, {"Self-test", "Autoprueba"}, std::string(context.say({"not yet", "aún no"})));
        return;
    }
    const auto& test = status["selftest"];
    double total = 0;
    std::string failed;
    for (const auto& stage : test.at("stages")) {
        total += stage.value("milliseconds", 0.0);
        if (!stage.value("ok", false) && failed.empty()) {
            failed = stage.value("name", "");
        }
    }
    const bool ok = test.value("ok", false);
    const auto text =
        ok ? fmt::format("{}{:.1f} ms", context.say({"passed   ", "superada "}), total)
           : fmt::format(
                 "{} {}", context.say({"failed at stage", "falló en la etapa"}), printable(failed));
    line(context, {"Self-test", "Autoprueba"}, paint(context, ok ? Tone::Good : Tone::Bad, text));
}

void print_faults(const Context& context, const json& status) {
    for (const auto& fault : status.at("faults")) {
        fmt::print("{}\n",
                   paint(context,
                         tone_of_severity(fault.value("severity", "")),
                         fmt::format("  {} {} [{}] {}",
                                     context.say({"FAULT", "FALLO"}),
                                     fault.value("id", 0),
                                     severity_text(fault.value("severity", ""), context.language),
                                     sentence_member(fault, "title"))));
    }
}

void print_status(const Context& context, const json& status) {
    const auto state = status.value("state", "unknown");
    const auto reason = sentence_member(status, "state_reason");
    fmt::print("Vigía {} · {} · {} {}\n",
               printable_member(status, "version"),
               paint(context, tone_of(state), state),
               context.say({"since", "desde"}),
               local_time(status.value("since", "")));
    if (!reason.empty()) {
        fmt::print("  {}\n", paint(context, tone_of(state), reason));
    }
    print_faults(context, status);
    const auto& policy = status.at("policy");
    line(
        context,
        {"Policy", "Política"},
        fmt::format("{}, {} {}{}{}",
                    printable_member(policy, "name"),
                    context.say({"serial", "serie"}),
                    policy.value("serial", std::uint64_t{0}),
                    policy.contains("source") ? ", " + printable_member(policy, "source") : "",
                    policy.value("valid", true)
                        ? ""
                        : paint(context,
                                Tone::Bad,
                                context.say({"; the file has errors (vigia policy check)",
                                             "; el archivo tiene errores (vigia policy check)"}))));
    print_monitors(context, status);
    print_scan(context, status.at("scan"));
    const auto& definitions = status.at("definitions");
    line(context,
         {"Definitions", "Definiciones"},
         fmt::format("{}, {} {}",
                     printable_member(definitions, "generation"),
                     grouped(definitions.value("signatures", std::uint64_t{0})),
                     context.say({"signatures", "firmas"})));
    print_self_test(context, status);
    print_load(context, status);
    print_accounting(context, status);
}

// One line and the exit status that Nagios-compatible monitors expect.
Exit print_nagios(const std::string& state, const json& status) {
    struct Level {
        std::string_view state;
        std::string_view word;
        int code;
    };

    constexpr std::array kLevels{Level{"protected", "OK", 0},
                                 Level{"degraded", "WARNING", 1},
                                 Level{"starting", "WARNING", 1},
                                 Level{"unprotected", "CRITICAL", 2}};
    const auto found = std::ranges::find(kLevels, state, &Level::state);
    const bool known = found != kLevels.end();
    fmt::print("VIGIA {} - {}; {} faults\n",
               known ? found->word : "UNKNOWN",
               printable(state),
               status.contains("faults") ? status["faults"].size() : 0);
    constexpr int kUnknown = 3;
    return static_cast<Exit>(known ? found->code : kUnknown);
}

Exit run_status(const Context& context, bool nagios) {
    auto exit = Exit::Fine;
    const auto status = fetch(
        context, context.language == Language::Spanish ? "/v1/status?lang=es" : "/v1/status", exit);
    constexpr auto kNagiosUnknown = static_cast<Exit>(3);
    if (!status) {
        if (nagios) {
            fmt::print("VIGIA UNKNOWN - the daemon does not answer\n");
            return kNagiosUnknown;
        }
        return exit;
    }
    const auto state = status->value("state", "unknown");
    if (nagios) {
        return print_nagios(state, *status);
    }
    if (context.json) {
        fmt::print("{}\n", status->dump());
    } else {
        print_status(context, *status);
    }
    return Exit::Fine;
}

}  // namespace

Verb status_verb() {
    auto nagios = std::make_shared<bool>(false);
    return {.name = "status",
            .help = {"overall state, monitors, scan service, faults",
                     "estado general, monitores, servicio de análisis, fallos"},
            .options = {{.name = "--nagios",
                         .help = {"one line; exit status 0 ok, 1 warning, 2 critical, 3 unknown",
                                  "una línea; salida 0 bien, 1 aviso, 2 crítico, 3 desconocido"},
                         .into = nagios.get()}},
            .action = [nagios](const Context& context) { return run_status(context, *nagios); }};
}

}  // namespace vigia::cli
