// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/journal_catalog.h"

#include <fmt/format.h>

#include "health/catalogue.h"
#include "model/message_id.h"

namespace vigia::cli {
namespace {

// @NAME@ is replaced by that field of the entry (journald_sink.h).
constexpr Text kWhat{.en = "What was found: @VIGIA_CAUSE@ (@VIGIA_EVENT@).",
                     .es = "Lo que se encontró: @VIGIA_CAUSE@ (@VIGIA_EVENT@)."};
constexpr Text kCauses{.en = "Causes of this fault, and what each costs:",
                       .es = "Causas de este fallo y lo que cuesta cada una:"};
constexpr Text kNext{
    .en =
        "What to do, with the commands for this host: `vigia faults show {0}`. All about it, "
        "also without the daemon: `vigia faults explain {0}`.",
    .es =
        "Qué hacer, con las órdenes para este equipo: `vigia faults show {0}`. Todo sobre él, "
        "también sin el servicio: `vigia faults explain {0}`."};

}  // namespace

std::string journal_catalog(Language language) {
    // The language is told by the name of the file, vigia.es.catalog.
    const bool spanish = language == Language::Spanish;
    std::string text = fmt::format("# vigia generate catalog --lang {}\n", spanish ? "es" : "en");
    for (const auto* fault : health::catalogue()) {
        text += fmt::format("\n-- {}\nSubject: {} {}: {}\nDefined-By: Vigía\n\n{}\n\n{}\n\n{}\n",
                            message_id(fault->id),
                            spanish ? "Fallo" : "Fault",
                            fault->id,
                            fault->title.in(language),
                            fault->summary.in(language),
                            kWhat.in(language),
                            kCauses.in(language));
        for (const auto& cause : fault->causes) {
            text += fmt::format(" - {}: {}\n", cause.word, cause.lost.in(language));
        }
        text += fmt::format("\n{}\n", fmt::format(fmt::runtime(kNext.in(language)), fault->id));
    }
    return text;
}

}  // namespace vigia::cli
