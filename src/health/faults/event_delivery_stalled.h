// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// The event file of the host itself is storage and belongs to 104.
// Evidence: sinks[]{sink, error, waiting}, sink, error, waiting (of the one with most
// events waiting), spool_percent.
namespace event_delivery_stalled_parts {

inline constexpr std::array kUnreachableRemedy{
    Step{.text = {.en = "See whether the service that takes the events of {sink} runs and can be "
                        "reached: {error}",
                  .es = "Compruebe que el servicio que recibe los eventos de {sink} funciona y es "
                        "accesible: {error}"},
         .command = "vigia status"},
    Step{.text = {.en = "If the events are not wanted there, take that sink out of the policy.",
                  .es = "Si no se desean allí los eventos, quite ese destino de la política."}},
};

inline constexpr std::array kSpoolRemedy{
    Step{.text = {.en = "Make {sink} take events again before the journal reaches journal.max_size "
                        "and gives up the oldest: {error}",
                  .es = "Haga que {sink} vuelva a recibir eventos antes de que el registro alcance "
                        "journal.max_size y descarte los más antiguos: {error}"}},
    Step{.text = {.en = "Or give the journal more room: journal.max_size in the policy.",
                  .es = "O dé más espacio al registro: journal.max_size en la política."}},
};

inline constexpr Text kLost{
    .en =
        "Events do not arrive there. They are all kept in the journal and are handed on, in "
        "order, as soon as that is possible; {waiting} wait.",
    .es =
        "Los eventos no llegan allí. Todos se conservan en el registro y se entregan, en orden, "
        "en cuanto sea posible; esperan {waiting}."};

inline constexpr std::array kCauses{
    Cause{.word = "sink-unreachable",
          .description = {.en = "The sink {sink} does not take events: {error}",
                          .es = "El destino {sink} no recibe eventos: {error}"},
          .lost = kLost,
          .remedy = kUnreachableRemedy},
    Cause{.word = "spool-filling",
          .description = {.en = "The sink {sink} does not take events, and those that wait for it "
                                "fill {spool_percent} % of the journal: {error}",
                          .es = "El destino {sink} no recibe eventos, y los que esperan ocupan el "
                                "{spool_percent} % del registro: {error}"},
          .lost = kLost,
          .remedy = kSpoolRemedy},
};

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    constexpr double kMuch = 0.8;
    const Facts::Outlet* worst = nullptr;
    Evidence::List list;
    for (const auto& outlet : facts.outlets) {
        if (outlet.error.empty()) {
            continue;
        }
        list.emplace_back(Evidence::Members{
            {"sink", outlet.name}, {"error", outlet.error}, {"waiting", outlet.waiting}});
        worst = worst == nullptr || outlet.waiting > worst->waiting ? &outlet : worst;
    }
    if (worst == nullptr) {
        return Finding::ok();
    }
    const bool filling = worst->spool_share > kMuch;
    return Finding::failing(
        filling ? Severity::Major : Severity::Minor,
        filling ? "spool-filling" : "sink-unreachable",
        {{"sinks", std::move(list)},
         {"sink", worst->name},
         {"error", worst->error},
         {"waiting", worst->waiting},
         {"spool_percent", static_cast<std::uint64_t>(worst->spool_share * 100)}});
}

}  // namespace event_delivery_stalled_parts

inline constexpr Fault event_delivery_stalled{
    .id = 103,
    .key = "event-delivery-stalled",
    .severity = Severity::Minor,
    .title = {.en = "Events are not delivered", .es = "Los eventos no se entregan"},
    .summary = {.en = "Raised when a sink has not taken events for 30 seconds; Major when what "
                      "waits for it fills more than 80 % of the journal.",
                .es = "Se notifica cuando un destino no ha recibido eventos durante 30 segundos; "
                      "grave cuando lo que espera ocupa más del 80 % del registro."},
    .gate = "[[sinks]]",
    .wanted = [](const Facts::Wanted& wanted) { return wanted.outlets; },
    .causes = event_delivery_stalled_parts::kCauses,
    .probe = event_delivery_stalled_parts::probe,
    .timing = {.raise_after = std::chrono::seconds{30}},
};

}  // namespace vigia::health::faults
