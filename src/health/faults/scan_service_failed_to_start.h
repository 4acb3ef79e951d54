// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: message, file, definitions, fallback, workers_ready; out-of-memory and killed:
// needed_bytes (of the last load that succeeded), reached_bytes (the one that failed),
// available_bytes; no-definitions: sources[].
namespace scan_service_failed_to_start_parts {

inline constexpr std::array kRejected{
    Step{.text = {.en = "Set the file aside and load the rest.",
                  .es = "Aparte el archivo y cargue el resto."},
         .command = "vigia faults fix 7"},
    Step{.text = {.en = "Or replace {file} by an intact copy; it is loaded as soon as it is there.",
                  .es = "O sustituya {file} por una copia íntegra; se carga en cuanto está."}},
    Step{.text =
             {.en = "If every update is rejected like this, the source delivers broken files: the "
                    "checks before activation keep failing for it. Tell its publisher.",
              .es = "Si cada actualización se rechaza así, la fuente entrega archivos dañados: las "
                    "comprobaciones previas fallan siempre. Avise a quien los publica."},
         .command = "vigia definitions show"},
};

inline constexpr std::array kNone{
    Step{.text = {.en = "Put definition files into {sources}; they are loaded as soon as they are "
                        "there.",
                  .es = "Ponga archivos de definiciones en {sources}; se cargan en cuanto están."}},
    Step{
        .text = {.en = "Or take the source out of the policy, if the built-in set is meant to do.",
                 .es = "O quite la fuente de la política, si el conjunto incorporado debe bastar."},
        .command = "vigia policy show"},
};

inline constexpr std::array kMemory{
    Step{.text =
             {.en = "See what is needed and what there is; the limit of the control group counts.",
              .es = "Vea cuánto se necesita y cuánto hay; cuenta el límite del grupo de control."},
         .command = "systemctl show vigiad --property=MemoryMax,MemoryCurrent"},
    Step{.text = {.en = "Give the machine or the service more memory, or use a smaller set of "
                        "definitions. Loading is tried again as memory becomes free.",
                  .es = "Dé más memoria a la máquina o al servicio, o use menos definiciones. Se "
                        "vuelve a cargar cuando hay memoria libre."}},
};

inline constexpr std::array kKilled{
    Step{.text = {.en = "Find out who sends signals to the service; loading is tried again by "
                        "itself.",
                  .es = "Averigüe quién envía señales al servicio; la carga se repite sola."},
         .command = "ausearch -m OBJ_PID --start recent"},
};

inline constexpr std::array kMemoryOrKilled{
    Step{.text = {.en = "See whether the kernel killed it for memory.",
                  .es = "Vea si lo terminó el núcleo por falta de memoria."},
         .command = "dmesg | grep -i 'killed process'"},
    kMemory[1],
};

inline constexpr std::array kSandbox{
    Step{.text =
             {.en = "The service refuses to parse hostile files without its walls. See what the "
                    "kernel or an outer container forbids: {message}",
              .es = "El servicio se niega a tratar archivos hostiles sin sus muros. Vea qué impide "
                    "el núcleo o un contenedor externo: {message}"},
         .command = "vigia doctor"},
};

inline constexpr std::array kProgram{
    Step{
        .text = {.en = "Install the package again: a program of ours is missing or not executable.",
                 .es = "Reinstale el paquete: falta un programa nuestro o no se puede ejecutar."},
        .command = "ls -l /usr/lib/vigia"},
};

inline constexpr std::array kSlow{
    Step{.text = {.en =
                      "See whether the machine is overloaded or its disk is slow; loading is tried "
                      "again by itself.",
                  .es =
                      "Vea si la máquina está sobrecargada o su disco es lento; la carga se repite "
                      "sola."},
         .command = "vigia status"},
};

inline constexpr Text kLost{
    .en =
        "No file is scanned, neither on change nor on demand, until it clears. What changes "
        "meanwhile is remembered and scanned afterwards.",
    .es =
        "No se analiza ningún archivo, ni al cambiar ni a petición, hasta que se resuelva. Lo que "
        "cambia entretanto se recuerda y se analiza después."};

inline constexpr HealPlan kRetry{
    .action = Heal::RetryLoad, .attempts = 20, .backoff = std::chrono::milliseconds{2000}};

inline constexpr std::array kCauses{
    Cause{.word = "definitions-rejected",
          .description = {.en = "The definitions do not load: {file}: {message}",
                          .es = "Las definiciones no se cargan: {file}: {message}"},
          .lost = kLost,
          .remedy = kRejected,
          .heal = {.action = Heal::SetDefinitionsAside,
                   .attempts = 10,
                   .backoff = std::chrono::milliseconds{500}}},
    Cause{
        .word = "no-definitions",
        .description = {.en = "No definition file was found in {sources}.",
                        .es = "No se encontró ningún archivo de definiciones en {sources}."},
        .lost = {.en =
                     "Only the built-in set (EICAR and the canary) is loaded: real malware is not "
                     "recognised.",
                 .es = "Solo está cargado el conjunto incorporado (EICAR y el canario): no se "
                       "reconoce malware real."},
        .remedy = kNone},
    Cause{
        .word = "out-of-memory",
        .description = {.en = "There is not enough memory to load the definitions: {message}",
                        .es = "No hay memoria suficiente para cargar las definiciones: {message}"},
        .lost = kLost,
        .remedy = kMemory,
        .heal = kRetry},
    Cause{.word = "killed",
          .description = {.en = "Somebody killed the scan service while it loaded the definitions; "
                                "it was not for memory: {message}",
                          .es = "Alguien terminó el servicio de análisis mientras cargaba las "
                                "definiciones; no fue por memoria: {message}"},
          .lost = kLost,
          .remedy = kKilled,
          .heal = kRetry},
    Cause{.word = "killed-or-out-of-memory",
          .description = {.en = "The scan service was killed while it loaded the definitions. "
                                "Whether for memory or by somebody is not known, because this "
                                "kernel does not count it: {message}",
                          .es = "El servicio de análisis fue terminado mientras cargaba las "
                                "definiciones. No se sabe si por memoria o por alguien, porque "
                                "este núcleo no lo cuenta: {message}"},
          .lost = kLost,
          .remedy = kMemoryOrKilled,
          .heal = kRetry},
    Cause{.word = "sandbox-failed",
          .description = {.en = "The sandbox of the scan service could not be built: {message}",
                          .es = "No se pudo construir el aislamiento del servicio de análisis: "
                                "{message}"},
          .lost = kLost,
          .remedy = kSandbox,
          .heal = kRetry},
    Cause{.word = "exec-failed",
          .description = {.en = "The scan service could not be started: {message}",
                          .es = "No se pudo iniciar el servicio de análisis: {message}"},
          .lost = kLost,
          .remedy = kProgram,
          .heal = kRetry},
    Cause{.word = "start-timeout",
          .description = {.en = "The scan service did not become ready in time: {message}",
                          .es = "El servicio de análisis no estuvo listo a tiempo: {message}"},
          .lost = kLost,
          .remedy = kSlow,
          .heal = kRetry},
    Cause{.word = "workers-end",
          .description = {.en = "Scan workers end as soon as they start: {message}",
                          .es = "Los procesos de análisis terminan en cuanto empiezan: {message}"},
          .lost = kLost,
          .remedy = kSlow,
          .heal = kRetry},
};

inline std::string_view cause_of(const std::string& word) {
    for (const auto& cause : kCauses) {
        if (cause.word == word) {
            return cause.word;
        }
    }
    return "workers-end";
}

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& scan = facts.scan;
    Evidence::Members evidence{{"file", scan.load_file},
                               {"message", scan.load_message},
                               {"definitions", scan.definitions},
                               {"fallback", scan.fallback},
                               {"workers_ready", std::uint64_t{scan.workers_ready}}};
    if (scan.state == "failed") {
        const auto cause = cause_of(scan.load_cause);
        if (cause == "out-of-memory" || cause == "killed-or-out-of-memory") {
            if (scan.memory_needed > 0) {
                evidence.emplace_back("needed_bytes", scan.memory_needed);
            }
            if (scan.memory_reached > 0) {
                evidence.emplace_back("reached_bytes", scan.memory_reached);
            }
            evidence.emplace_back("available_bytes", scan.memory_available);
        }
        return Finding::failing(Severity::Critical, cause, std::move(evidence));
    }
    if (scan.state == "ready" && scan.built_in_only && !scan.empty_sources.empty()) {
        Evidence::List sources;
        for (const auto& source : scan.empty_sources) {
            sources.emplace_back(source);
        }
        evidence.emplace_back("sources", std::move(sources));
        return Finding::failing(Severity::Critical, "no-definitions", std::move(evidence));
    }
    if (scan.state == "ready") {
        return Finding::ok();
    }
    return Finding::unknown(scan.state.empty() ? "the scan service has not reported yet"
                                               : "the scan service is " + scan.state);
}

}  // namespace scan_service_failed_to_start_parts

inline constexpr Fault scan_service_failed_to_start{
    .id = 7,
    .key = "scan-service-failed-to-start",
    .severity = Severity::Critical,
    .title = {.en = "Scan service failed to start",
              .es = "Error al iniciar el servicio de análisis"},
    .summary =
        {.en = "Raised when no engine is ready to scan: definitions that do not load, none at "
               "all, too little memory, or a service that cannot be started.",
         .es = "Se notifica cuando no hay ningún motor listo para analizar: definiciones que no "
               "se cargan o que faltan, memoria insuficiente, o un servicio que no arranca."},
    .causes = scan_service_failed_to_start_parts::kCauses,
    .probe = scan_service_failed_to_start_parts::probe,
    .timing = {.clear_after = std::chrono::milliseconds{500}},
};

}  // namespace vigia::health::faults
