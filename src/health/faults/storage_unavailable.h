// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cerrno>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: what[] (journal, quarantine, definitions, events-file), error, errno, path, bytes_free,
// events_waiting, events_lost; definitions: definitions_in; damage: set_aside, reason.
namespace storage_unavailable_parts {

// Only where definitions are among what cannot be written.
inline constexpr Step kStandIn{
    .text = {.en = "The engine goes on with definitions kept in {definitions_in}, which takes "
                   "memory; they move back by themselves.",
             .es = "El motor sigue con definiciones guardadas en {definitions_in}, que ocupan "
                   "memoria; vuelven a su sitio por sí solas."}};

inline constexpr std::array kFull{
    Step{.text = {.en = "Make room on the file system of {path}; writing goes on within a second.",
                  .es =
                      "Libere espacio en el sistema de archivos de {path}; se sigue escribiendo en "
                      "un segundo."},
         .command = "df -h {path}"},
    Step{
        .text =
            {.en = "Let the journal keep less ([journal] max_size in the policy), or delete what "
                   "is in quarantine and no longer needed.",
             .es = "Guarde menos en el registro ([journal] max_size de la política), o borre de la "
                   "cuarentena lo que ya no haga falta."},
        .command = "vigia quarantine list"},
    kStandIn,
};

inline constexpr std::array kReadOnly{
    Step{
        .text =
            {.en = "See why the file system is read-only: the kernel often does so after an error "
                   "of the disk.",
             .es = "Vea por qué el sistema de archivos es de solo lectura: el núcleo suele hacerlo "
                   "tras un error del disco."},
        .command = "dmesg --level=err | tail"},
    Step{.text = {.en = "Make it writable again.", .es = "Hágalo escribible otra vez."},
         .command = "mount -o remount,rw $(findmnt -n -o TARGET --target {path})"},
    kStandIn,
};

inline constexpr std::array kDisk{
    Step{.text = {.en = "Check the disk; the connector goes on trying each second.",
                  .es = "Compruebe el disco; el conector lo intenta cada segundo."},
         .command = "dmesg --level=err | tail"},
    kStandIn,
};

inline constexpr std::array kDamaged{
    Step{.text =
             {.en = "Nothing needs to be done: a new journal is in use. What could be read of the "
                    "old one was taken over.",
              .es = "No hay que hacer nada: ya se usa un registro nuevo. Lo que se pudo leer del "
                    "anterior se conservó."}},
    Step{.text = {.en = "The old one is kept for examination.",
                  .es = "El anterior se guarda para examinarlo."},
         .command = "ls -l {set_aside}"},
    Step{.text = {.en = "Find out who damaged or removed it; a failing disk does so as well.",
                  .es = "Averigüe quién lo dañó o lo quitó; también lo hace un disco que falla."}},
};

inline constexpr std::array kEventsFile{
    Step{.text = {.en =
                      "Nothing needs to be done: {path} was made anew, and what follows is in it. "
                      "Rotate it with the policy ([[sinks]]) instead of removing it.",
                  .es = "No hay que hacer nada: {path} se creó de nuevo y lo siguiente está en él. "
                        "Rótelo con la política ([[sinks]]) en lugar de quitarlo."}},
};

inline constexpr Text kLost{
    .en =
        "Detection and prevention go on. Events are held in memory ({events_waiting} now) and "
        "written as soon as it works again; lost so far: {events_lost}.",
    .es =
        "La detección y la prevención continúan. Los eventos se guardan en memoria "
        "({events_waiting} ahora) y se escriben en cuanto sea posible; perdidos: {events_lost}."};

inline constexpr std::array kCauses{
    Cause{.word = "disk-full",
          .description = {.en = "There is no room left to write {what}: {error}",
                          .es = "No queda espacio para escribir {what}: {error}"},
          .lost = kLost,
          .remedy = kFull},
    Cause{.word = "read-only",
          .description = {.en = "The file system is read-only; not written: {what}: {error}",
                          .es = "El sistema de archivos es de solo lectura; sin escribir: {what}: "
                                "{error}"},
          .lost = kLost,
          .remedy = kReadOnly},
    Cause{.word = "io-error",
          .description = {.en = "The storage refuses to write {what}: {error}",
                          .es = "El almacenamiento no permite escribir {what}: {error}"},
          .lost = kLost,
          .remedy = kDisk},
    Cause{.word = "database-damaged",
          .description =
              {.en = "The journal was damaged. It was set aside as {set_aside} and a new one "
                     "begun.",
               .es = "El registro se dañó. Se apartó como {set_aside} y se empezó uno "
                     "nuevo."},
          .lost = kLost,
          .remedy = kDamaged},
    Cause{.word = "journal-deleted",
          .description = {.en = "The journal was deleted while it was in use; a new one was begun.",
                          .es = "El registro se borró mientras se usaba; se empezó uno nuevo."},
          .lost = kLost,
          .remedy = kDamaged},
    Cause{.word = "journal-replaced",
          .description =
              {.en = "The journal was replaced by another file while it was in use; a new one "
                     "was begun.",
               .es = "El registro se sustituyó por otro archivo mientras se usaba; se empezó "
                     "uno nuevo."},
          .lost = kLost,
          .remedy = kDamaged},
    Cause{
        .word = "events-file-lost",
        .description = {.en = "The events file {path} was removed or replaced while it was in use.",
                        .es =
                            "El archivo de eventos {path} se quitó o sustituyó mientras se usaba."},
        .lost = {.en =
                     "Lines that were in it are no longer there; the journal still has the events.",
                 .es = "Las líneas que contenía ya no están; el registro conserva los eventos."},
        .remedy = kEventsFile},
};

inline std::string_view cause_of(int number) {
    switch (number) {
        case ENOSPC:
        case EDQUOT:
            return "disk-full";
        case EROFS:
            return "read-only";
        default:
            return "io-error";
    }
}

inline std::string_view cause_of_renewal(const std::string& reason) {
    return reason == "journal-deleted"    ? "journal-deleted"
           : reason == "journal-replaced" ? "journal-replaced"
                                          : "database-damaged";
}

// What cannot be written now, the most important first.
struct Refused {
    Evidence::List what;
    std::string error;
    int number = 0;
    std::string path;

    void add(const char* name, const std::string& message, int code, const std::string& where) {
        if (what.empty()) {
            error = message;
            number = code;
            path = where;
        }
        what.emplace_back(name);
    }
};

inline Finding probe(const Facts& facts, const Timing& timing) {
    const auto& storage = facts.storage;
    if (!storage.known) {
        return Finding::unknown("the journal has not reported yet");
    }
    Evidence::Members evidence{{"bytes_free", storage.bytes_free},
                               {"events_waiting", storage.events_waiting},
                               {"events_lost", storage.events_lost}};
    Refused refused;
    if (!storage.journal_ok) {
        refused.add(
            "journal", storage.journal_error, storage.journal_error_number, storage.journal_path);
    }
    if (!storage.vault_ok) {
        refused.add(
            "quarantine", storage.vault_error, storage.vault_error_number, storage.journal_path);
    }
    if (!storage.definitions_ok) {
        refused.add("definitions",
                    storage.definitions_error,
                    storage.definitions_error_number,
                    storage.definitions_path);
        evidence.emplace_back("definitions_in", storage.definitions_stand_in);
    }
    if (!storage.events_file_ok) {
        refused.add("events-file",
                    storage.events_file_error,
                    storage.events_file_error_number,
                    storage.events_file);
    }
    if (!refused.what.empty()) {
        evidence.emplace_back("what", std::move(refused.what));
        evidence.emplace_back("error", refused.error);
        evidence.emplace_back("errno", refused.number);
        evidence.emplace_back("path", refused.path);
        return Finding::failing(storage.vault_ok ? Severity::Major : Severity::Critical,
                                cause_of(refused.number),
                                std::move(evidence));
    }
    if (storage.renewed_at && facts.now - *storage.renewed_at < timing.window) {
        evidence.emplace_back("reason", storage.renewal_reason);
        evidence.emplace_back("set_aside", storage.set_aside);
        evidence.emplace_back("path", storage.journal_path);
        return Finding::failing(
            Severity::Major, cause_of_renewal(storage.renewal_reason), std::move(evidence));
    }
    if (storage.events_file_lost_at && facts.now - *storage.events_file_lost_at < timing.window) {
        evidence.emplace_back("path", storage.events_file);
        return Finding::failing(Severity::Minor, "events-file-lost", std::move(evidence));
    }
    return Finding::ok();
}

}  // namespace storage_unavailable_parts

inline constexpr Fault storage_unavailable{
    .id = 104,
    .key = "storage-unavailable",
    .severity = Severity::Major,
    .title = {.en = "Storage unavailable", .es = "Almacenamiento no disponible"},
    .summary =
        {.en = "Raised when the journal, the quarantine or the events file cannot be written, or "
               "when one of them was damaged, removed or replaced. Critical when quarantine is "
               "impossible.",
         .es = "Se notifica cuando no se puede escribir el registro, la cuarentena o el archivo "
               "de eventos, o cuando alguno se dañó, quitó o sustituyó. Crítico si la cuarentena "
               "es imposible."},
    .causes = storage_unavailable_parts::kCauses,
    .probe = storage_unavailable_parts::probe,
    .timing = {.clear_after = std::chrono::milliseconds{1000}, .window = std::chrono::minutes{1}},
};

}  // namespace vigia::health::faults
