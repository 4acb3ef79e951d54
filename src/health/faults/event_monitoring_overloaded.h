// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "health/fault.h"

namespace vigia::health::faults {

// Two levels (overload/levels.h). The fault goes on until all that was put off has been looked at.
// Evidence, the same for each cause: level, mode, reason, measured, limit, seconds,
// programs[]{path, user, processes, events_per_second, share, exclusion, writes[], warning},
// events_per_second{offered, delivered, deferred, peak_offered}, queues{ring_percent, scan_percent,
// scans_pending, oldest_scan_seconds}, files_deferred, lost, overflows,
// catch_up{state, files_found, folders_walked, share?, since?, without_ctime[]}, tainted_since?,
// busiest?, exclusion_commands[], storms, processors, processors_needed, cpu_percent.
namespace event_monitoring_overloaded_parts {

inline constexpr Step kExclude{
    .text = {.en = "If you trust {busiest}, leave out what it does; see what would match first: "
                   "vigia exclusions suggest",
             .es = "Si confía en {busiest}, excluya lo que hace; vea antes qué coincidiría: "
                   "vigia exclusions suggest"},
    .command = "{exclusion_commands}"};

inline constexpr Step kInvestigate{
    .text = {.en = "Otherwise find out why it is so busy: what does not look like its work may be "
                   "an attack.",
             .es = "Si no, averigüe por qué está tan ocupado: lo que no parezca trabajo suyo puede "
                   "ser un ataque."},
    .command = "vigia top"};

inline constexpr Step kWait{
    .text = {.en = "A short burst needs nothing: the fault clears by itself when it is over and "
                   "everything that was put off has been scanned.",
             .es = "Una ráfaga corta no requiere nada: el fallo se resuelve solo cuando termina y "
                   "se ha analizado todo lo aplazado."},
    .command = "vigia status"};

inline constexpr Step kSizeUp{
    .text = {.en = "If it comes often and no program is to blame, the machine is too small for its "
                   "work: give it {processors_needed} processors instead of {processors}, or raise "
                   "the limits of [overload] in the policy.",
             .es =
                 "Si ocurre a menudo y ningún programa es el culpable, la máquina es pequeña para "
                 "su trabajo: dele {processors_needed} procesadores en lugar de {processors}, o "
                 "suba los límites de [overload] en la política."}};

inline constexpr std::array kLadder{kExclude, kInvestigate, kWait, kSizeUp};
inline constexpr std::array kSizeUpFirst{kSizeUp, kExclude, kInvestigate, kWait};
inline constexpr std::array kWaitOnly{kWait};

inline constexpr Text kLost{
    .en =
        "Mode {mode}. Starts of programs, new connections to other machines and files that can "
        "run are looked at; the rest is counted or put off, and scanned afterwards: "
        "{files_deferred} files so far.",
    .es =
        "Modo {mode}. Se examinan los inicios de programas, las conexiones nuevas a otras "
        "máquinas y los archivos ejecutables; el resto se cuenta o se aplaza, y se analiza "
        "después: {files_deferred} archivos hasta ahora."};

inline constexpr Text kOwed{
    .en =
        "Everything new is looked at again. What was put off is being scanned: {files_deferred} "
        "files at least; until then something in them could go unnoticed.",
    .es =
        "Todo lo nuevo vuelve a examinarse. Lo aplazado se está analizando: {files_deferred} "
        "archivos como mínimo; hasta entonces algo en ellos podría pasar inadvertido."};

inline constexpr std::array kCauses{
    Cause{.word = "busy-program",
          .description = {.en = "More happens than can be looked at ({reason}); most of it is the "
                                "doing of {busiest}.",
                          .es = "Ocurre más de lo que puede examinarse ({reason}); la mayor parte "
                                "es obra de {busiest}."},
          .lost = kLost,
          .remedy = kLadder},
    Cause{
        .word = "busy-host",
        .description = {.en = "More happens than can be looked at ({reason}), and no single "
                              "program is known to be the cause.",
                        .es = "Ocurre más de lo que puede examinarse ({reason}) y no se conoce un "
                              "único programa que lo cause."},
        .lost = kLost,
        .remedy = kLadder},
    Cause{.word = "machine-too-small",
          .description = {.en = "More happens than can be looked at ({reason}), {storms} times "
                                "within a day, without a program to blame.",
                          .es = "Ocurre más de lo que puede examinarse ({reason}), {storms} veces "
                                "en un día, sin un programa culpable."},
          .lost = kLost,
          .remedy = kSizeUpFirst},
    Cause{.word = "catching-up",
          .description = {.en = "The storm is over; what was put off is being scanned.",
                          .es = "La avalancha ha terminado; se está analizando lo aplazado."},
          .lost = kOwed,
          .remedy = kWaitOnly},
};

inline Evidence program(const ProgramLoad& load) {
    Evidence::List writes;
    for (const auto& folder : load.writes) {
        writes.emplace_back(folder);
    }
    return Evidence::Members{{"path", load.path},
                             {"user", load.user},
                             {"processes", static_cast<std::uint64_t>(load.processes)},
                             {"events_per_second", load.events_per_second},
                             {"share", load.share},
                             {"exclusion", load.exclusion},
                             {"writes", std::move(writes)},
                             {"warning", load.warning}};
}

inline Evidence catch_up(const Facts::Overload& overload) {
    Evidence::List places;
    for (const auto& place : overload.without_ctime) {
        places.emplace_back(place);
    }
    return Evidence::Members{{"state", overload.catch_up},
                             {"files_found", overload.files_found},
                             {"folders_walked", overload.folders_walked},
                             {"share", overload.share ? Evidence(*overload.share) : Evidence()},
                             {"without_ctime", std::move(places)}};
}

// What we took at the most, given to the others instead.
inline std::uint64_t processors_needed(const Facts::Overload& overload) {
    constexpr double kPercent = 100;
    const double ours = overload.peak_cpu_percent / kPercent * overload.processors;
    return overload.processors + static_cast<std::uint64_t>(std::max(1.0, std::ceil(ours)));
}

inline std::size_t storms_of_late(const Facts& facts, const Timing& timing) {
    return static_cast<std::size_t>(std::ranges::count_if(
        facts.overload.storms, [&](BootTime at) { return facts.now - at <= timing.window; }));
}

inline Evidence::Members evidence(const Facts& facts, const Timing& timing) {
    const auto& overload = facts.overload;
    constexpr std::array kModes{"full", "reduced", "critical-only"};
    Evidence::List programs;
    Evidence::List commands;
    for (const auto& load : overload.programs) {
        programs.push_back(program(load));
        if (!load.exclusion.empty() && load.warning.empty()) {
            commands.emplace_back(load.exclusion);
        }
    }
    const auto held = overload.since ? facts.now - *overload.since : BootTime::duration::zero();
    Evidence::Members members{
        {"level", static_cast<std::uint64_t>(overload.level)},
        {"mode", kModes.at(std::min<std::size_t>(overload.level, kModes.size() - 1))},
        {"reason", overload.gauge},
        {"measured", overload.measured},
        {"limit", overload.limit},
        {"seconds", std::chrono::duration<double>(held).count()},
        {"programs", std::move(programs)},
        {"events_per_second",
         Evidence::Members{{"offered", overload.offered},
                           {"delivered", overload.delivered},
                           {"deferred", overload.deferred},
                           {"peak_offered", overload.peak_offered}}},
        {"queues",
         Evidence::Members{{"ring_percent", static_cast<std::uint64_t>(overload.ring_percent)},
                           {"scan_percent", static_cast<std::uint64_t>(overload.queue_percent)},
                           {"scans_pending", overload.scans_pending},
                           {"oldest_scan_seconds", overload.oldest_scan_seconds}}},
        {"files_deferred", overload.files_deferred},
        {"lost", overload.overflows > 0 ? Evidence() : Evidence(overload.lost)},
        {"overflows", overload.overflows},
        {"catch_up", catch_up(overload)},
        {"tainted_since",
         overload.tainted_since ? Evidence(to_iso8601(*overload.tainted_since)) : Evidence()},
        {"exclusion_commands", std::move(commands)},
        {"storms", static_cast<std::uint64_t>(storms_of_late(facts, timing))},
        {"processors", static_cast<std::uint64_t>(overload.processors)},
        {"processors_needed", processors_needed(overload)},
        {"cpu_percent", overload.peak_cpu_percent}};
    if (!overload.programs.empty()) {
        members.emplace_back("busiest", overload.programs.front().path);
    }
    return members;
}

inline Finding probe(const Facts& facts, const Timing& timing) {
    const auto& overload = facts.overload;
    if (!overload.known) {
        return Finding::unknown("nobody has looked yet");
    }
    if (overload.level == 0 && !overload.owes) {
        return Finding::ok();
    }
    const bool too_often = storms_of_late(facts, timing) >= timing.threshold;
    const auto* const cause = overload.level == 0 ? "catching-up"
                              : overload.culprit  ? "busy-program"
                              : too_often         ? "machine-too-small"
                                                  : "busy-host";
    return Finding::failing(
        overload.level >= 2 ? Severity::Critical : Severity::Major, cause, evidence(facts, timing));
}

}  // namespace event_monitoring_overloaded_parts

inline constexpr Fault event_monitoring_overloaded{
    .id = 18,
    .key = "event-monitoring-overloaded",
    .severity = Severity::Major,
    .title = {.en = "Event monitoring is overloaded",
              .es = "La supervisión de eventos está sobrecargada"},
    .summary = {.en = "Raised when more happens than can be looked at: Major while what can wait "
                      "is put off, Critical while only what must not wait is looked at. Cleared "
                      "when it is over and everything that was put off has been scanned.",
                .es = "Se notifica cuando ocurre más de lo que puede examinarse: grave mientras se "
                      "aplaza lo que puede esperar, crítico mientras solo se examina lo que no "
                      "puede esperar. Se resuelve cuando ha pasado y se ha analizado todo lo "
                      "aplazado."},
    .gate =
        "files.monitor_copies_and_moves, files.on_execute, processes.monitor, "
        "network.device_flow_correlation",
    .wanted =
        [](const Facts::Wanted& wanted) {
            return wanted.copies_and_moves || wanted.exec_gate || wanted.any_ebpf();
        },
    .causes = event_monitoring_overloaded_parts::kCauses,
    .probe = event_monitoring_overloaded_parts::probe,
    .timing = {.window = std::chrono::hours{24}, .threshold = 3},
};

}  // namespace vigia::health::faults
