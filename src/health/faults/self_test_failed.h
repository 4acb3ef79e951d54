// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: stage, detail, place, stages[]{name, ok, detail}.
namespace self_test_failed_parts {

inline constexpr std::array kRemedy{
    Step{.text = {.en = "Run the self-test and see at which stage it stops.",
                  .es = "Ejecute la autoprueba y vea en qué etapa se detiene."},
         .command = "vigia selftest"},
    Step{
        .text = {.en = "Other faults usually name the part that does not answer; clear them first.",
                 .es =
                     "Otros fallos suelen nombrar la parte que no responde; resuélvalos primero."},
        .command = "vigia faults list"},
    Step{.text = {.en = "If no other fault explains it, restart the connector.",
                  .es = "Si ningún otro fallo lo explica, reinicie el conector."},
         .command = "systemctl restart vigiad"},
};

inline constexpr Text kLost{
    .en =
        "An infected file may go unnoticed: the chain from the kernel's event to the verdict is "
        "broken at stage '{stage}'. Scans on demand may still work.",
    .es =
        "Un archivo infectado puede pasar inadvertido: la cadena desde el evento del núcleo hasta "
        "el veredicto está rota en la etapa '{stage}'. Los análisis a petición pueden seguir "
        "funcionando."};

inline constexpr std::array kCauses{
    Cause{.word = "no-write",
          .description = {.en = "The canary file could not be written in {place}: {detail}",
                          .es = "No se pudo escribir el archivo canario en {place}: {detail}"},
          .lost = kLost,
          .remedy = kRemedy},
    Cause{.word = "no-event",
          .description = {.en = "The kernel did not tell of a canary file written in {place}: "
                                "{detail}",
                          .es = "El núcleo no avisó de un archivo canario escrito en {place}: "
                                "{detail}"},
          .lost = kLost,
          .remedy = kRemedy,
          // A mark that somebody took away is set again.
          .heal = {.action = Heal::RetryFileMonitor,
                   .attempts = 5,
                   .backoff = std::chrono::milliseconds{5000}}},
    Cause{
        .word = "not-queued",
        .description = {.en = "The event of the canary in {place} did not come through the queue: "
                              "{detail}",
                        .es = "El evento del canario en {place} no pasó por la cola: {detail}"},
        .lost = kLost,
        .remedy = kRemedy},
    Cause{
        .word = "no-verdict",
        .description = {.en = "The canary in {place} was not detected by the scan service in time: "
                              "{detail}",
                        .es = "El servicio de análisis no detectó a tiempo el canario en {place}: "
                              "{detail}"},
        .lost = kLost,
        .remedy = kRemedy},
    Cause{
        .word = "not-journaled",
        .description = {.en = "The detection of the canary in {place} did not reach the journal: "
                              "{detail}",
                        .es = "La detección del canario en {place} no llegó al registro: {detail}"},
        .lost = kLost,
        .remedy = kRemedy},
    Cause{
        .word = "no-answer",
        .description = {.en = "The self-test in {place} stopped at stage '{stage}': {detail}",
                        .es = "La autoprueba en {place} se detuvo en la etapa '{stage}': {detail}"},
        .lost = kLost,
        .remedy = kRemedy},
};

inline constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kCauseOfStage{{
    {"write", "no-write"},
    {"event", "no-event"},
    {"queue", "not-queued"},
    {"verdict", "no-verdict"},
    {"journal", "not-journaled"},
}};

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    if (!facts.self_test) {
        return Finding::unknown("no self-test has run yet");
    }
    const auto& test = *facts.self_test;
    if (test.ok) {
        return Finding::ok();
    }
    Evidence::List stages;
    std::string stage = "unknown";
    std::string detail;
    for (const auto& one : test.stages) {
        stages.emplace_back(
            Evidence::Members{{"name", one.name}, {"ok", one.ok}, {"detail", one.detail}});
        if (!one.ok && stage == "unknown") {
            stage = one.name;
            detail = one.detail;
        }
    }
    std::string_view cause = "no-answer";
    for (const auto& [name, word] : kCauseOfStage) {
        cause = name == stage ? word : cause;
    }
    return Finding::failing(Severity::Critical,
                            cause,
                            {{"stage", stage},
                             {"detail", detail.empty() ? "no answer in time" : detail},
                             {"place", test.place},
                             {"stages", std::move(stages)}});
}

}  // namespace self_test_failed_parts

inline constexpr Fault self_test_failed{
    .id = 106,
    .key = "self-test-failed",
    .severity = Severity::Critical,
    .title = {.en = "The self-test failed", .es = "La autoprueba falló"},
    .summary =
        {.en = "Raised when a canary file was not detected through the whole chain in time: "
               "kernel event, queue, scan worker, verdict, journal.",
         .es = "Se notifica cuando un archivo canario no se detectó a tiempo a través de toda "
               "la cadena: evento del núcleo, cola, proceso de análisis, veredicto, registro."},
    .causes = self_test_failed_parts::kCauses,
    .probe = self_test_failed_parts::probe,
    .timing = {.clear_after = std::chrono::milliseconds{0}},
};

}  // namespace vigia::health::faults
