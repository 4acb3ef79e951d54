// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: count, window_seconds, crashes[]{signal, path, sha256, size, at}, poison[]{path,
// sha256, size, reason}, poison_count, definitions, workers_ready.
namespace scan_service_restarting_frequently_parts {

inline constexpr std::array kRemedy{
    Step{.text = {.en = "Look at the files that were being scanned when a worker ended.",
                  .es = "Vea los archivos que se estaban analizando cuando terminó un proceso."},
         .command = "vigia faults show 6"},
    Step{.text = {.en = "If you trust such a file, exclude it until the definitions are newer.",
                  .es =
                      "Si confía en un archivo así, exclúyalo hasta que haya definiciones nuevas."},
         .command = "vigia policy show"},
    Step{.text = {.en = "The fault clears by itself after {window_seconds} s without such an end.",
                  .es = "El fallo se borra solo tras {window_seconds} s sin un final así."}},
};

inline constexpr std::array kIntervene{
    Step{.text = {.en = "These files are set aside and not scanned under the present definitions: "
                        "treat them as suspicious. There are {poison_count}.",
                  .es = "Estos archivos quedan apartados y no se analizan con las definiciones "
                        "actuales: trátelos como sospechosos. Hay {poison_count}."},
         .command = "vigia faults show 6"},
    Step{
        .text = {.en = "Remove or update the definitions or the files that end the workers; newer "
                       "definitions scan them again.",
                 .es =
                     "Quite o actualice las definiciones o los archivos que terminan los procesos; "
                     "con definiciones nuevas se analizan otra vez."},
        .command = "vigia definitions show"},
    Step{
        .text = {.en = "Check the machine's memory: workers also end when there is none left.",
                 .es =
                     "Compruebe la memoria de la máquina: los procesos también terminan si falta."},
        .command = "dmesg --level=err | tail"},
};

inline constexpr Text kLost{
    .en =
        "Scanning goes on: a file that was in flight is scanned by another worker; one that ends "
        "two workers is reported as unscannable, never as clean.",
    .es =
        "El análisis continúa: el archivo en curso lo analiza otro proceso; el que termina dos "
        "procesos se notifica como no analizable, nunca como limpio."};

inline constexpr std::array kCauses{
    Cause{.word = "worker-crashes",
          .description = {.en = "{count} scan workers ended abnormally within {window_seconds} s.",
                          .es = "{count} procesos de análisis terminaron de forma anormal en "
                                "{window_seconds} s."},
          .lost = kLost,
          .remedy = kRemedy},
    Cause{.word = "intervention-needed",
          .description =
              {.en = "Scan workers keep ending ({count} so far) and the fault has not "
                     "cleared by itself: somebody must look at the files named.",
               .es = "Los procesos de análisis siguen terminando ({count} hasta ahora) y el "
                     "fallo no se ha borrado solo: alguien debe ver los archivos nombrados."},
          .lost = kLost,
          .remedy = kIntervene},
};

// The run of crashes that goes on now: no pause in it is as long as the window.
struct Run {
    std::size_t begin = 0;  // index of its first crash
    bool frequent = false;  // at some time `threshold` of them lay within the window
};

inline Run current_run(const Facts& facts, const Timing& timing) {
    const auto& crashes = facts.scan.crashes;
    Run run{.begin = crashes.size()};
    for (std::size_t at = 0; at < crashes.size(); ++at) {
        if (run.begin == crashes.size() || crashes[at].at - crashes[at - 1].at >= timing.window) {
            run = {.begin = at};
        }
        const auto threshold = std::max(timing.threshold, 1U);
        if (at + 1 >= run.begin + threshold &&
            crashes[at].at - crashes[at + 1 - threshold].at < timing.window) {
            run.frequent = true;
        }
    }
    if (!crashes.empty() && facts.now - crashes.back().at >= timing.window) {
        return {.begin = crashes.size()};
    }
    return run;
}

inline Evidence hash_text(const std::optional<Sha256>& hash) {
    return hash ? Evidence(hash->hex()) : Evidence{};
}

inline Finding probe(const Facts& facts, const Timing& timing) {
    const auto run = current_run(facts, timing);
    if (!run.frequent) {
        return Finding::ok();
    }
    constexpr std::size_t kMostShown = 20;
    const auto& crashes = facts.scan.crashes;
    Evidence::List list;
    for (auto at = std::max(run.begin, crashes.size() - std::min(crashes.size(), kMostShown));
         at < crashes.size();
         ++at) {
        list.emplace_back(Evidence::Members{{"signal", crashes[at].how},
                                            {"path", crashes[at].path},
                                            {"sha256", hash_text(crashes[at].sha256)},
                                            {"size", crashes[at].size},
                                            {"at", to_iso8601(crashes[at].wall)}});
    }
    Evidence::List poison;
    for (const auto& one : facts.scan.poison) {
        if (poison.size() == kMostShown) {
            break;
        }
        poison.emplace_back(Evidence::Members{{"path", one.path},
                                              {"sha256", hash_text(one.sha256)},
                                              {"size", one.size},
                                              {"reason", one.reason}});
    }
    const auto first = crashes[run.begin].at;
    const bool since_start = first - facts.started < timing.window;
    const bool long_enough = facts.now - facts.started >= timing.window &&
                             (since_start || facts.now - first >= timing.window);
    const bool none_survives = facts.scan.state == "failed" && facts.scan.workers_ready == 0;
    return Finding::failing(
        none_survives ? Severity::Critical : Severity::Major,
        long_enough ? "intervention-needed" : "worker-crashes",
        {{"count", static_cast<std::uint64_t>(crashes.size() - run.begin)},
         {"window_seconds",
          std::int64_t{std::chrono::ceil<std::chrono::seconds>(timing.window).count()}},
         {"crashes", std::move(list)},
         {"poison", std::move(poison)},
         {"poison_count", static_cast<std::uint64_t>(facts.scan.poison.size())},
         {"definitions", facts.scan.definitions},
         {"workers_ready", std::uint64_t{facts.scan.workers_ready}}});
}

}  // namespace scan_service_restarting_frequently_parts

inline constexpr Fault scan_service_restarting_frequently{
    .id = 6,
    .key = "scan-service-restarting-frequently",
    .severity = Severity::Major,
    .title = {.en = "Scan service restarts frequently",
              .es = "El servicio de análisis se reinicia con frecuencia"},
    .summary = {.en = "Raised when scan workers end abnormally three times within ten minutes; "
                      "clears after ten minutes without such an end.",
                .es = "Se notifica cuando los procesos de análisis terminan de forma anormal tres "
                      "veces en diez minutos; se borra tras diez minutos sin un final así."},
    .causes = scan_service_restarting_frequently_parts::kCauses,
    .probe = scan_service_restarting_frequently_parts::probe,
    // The window is the pause already.
    .timing = {.clear_after = std::chrono::milliseconds{0}},
};

}  // namespace vigia::health::faults
