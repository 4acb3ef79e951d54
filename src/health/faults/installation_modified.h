// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: manifest, files[]{path, found (null: not to be read), expected, error}, names[], more,
// error, reinstall_command, running.
namespace installation_modified_parts {

inline constexpr Step kReinstall{
    .text = {.en = "Put in the package again, which brings each file as it was.",
             .es = "Reinstale el paquete, que repone cada archivo como era."},
    .command = "{reinstall_command}"};

inline constexpr Step kRestart{
    .text = {.en = "Then start the connector anew, so that what runs is what is installed.",
             .es = "Después reinicie el conector, para que se ejecute lo instalado."},
    .command = "systemctl restart vigiad"};

inline constexpr std::array kFiles{
    Step{
        .text = {.en = "See which files differ, with a tool that is not ours. Find out who changed "
                       "them: whoever can do that can switch protection off.",
                 .es = "Vea qué archivos difieren, con una herramienta que no es nuestra. Averigüe "
                       "quién los cambió: quien puede hacerlo puede desactivar la protección."},
        .command = "sha256sum --check --quiet {manifest}"},
    kReinstall,
    kRestart,
};

inline constexpr std::array kManifest{kReinstall, kRestart};

inline constexpr std::array kRunning{
    Step{.text = {.en = "Start the connector anew.", .es = "Reinicie el conector."},
         .command = "systemctl restart vigiad"}};

inline constexpr Text kLost{
    .en =
        "The connector goes on working, but what it says of itself cannot be relied on until the "
        "files are those of the package.",
    .es =
        "El conector sigue trabajando, pero lo que dice de sí mismo no es fiable hasta que los "
        "archivos sean los del paquete."};

inline constexpr std::array kCauses{
    Cause{
        .word = "files-differ",
        .description = {.en = "Files of the connector are not those that were installed: {names}.",
                        .es = "Hay archivos del conector que no son los instalados: {names}."},
        .lost = kLost,
        .remedy = kFiles},
    Cause{
        .word = "manifest-damaged",
        .description = {.en =
                            "The list of what was installed cannot be used ({manifest}: {error}).",
                        .es = "La lista de lo instalado no se puede usar ({manifest}: {error})."},
        .lost = kLost,
        .remedy = kManifest},
    Cause{
        .word = "restart-needed",
        .description = {.en =
                            "The program that runs is no longer the installed one ({running}): it "
                            "was replaced after the start.",
                        .es = "El programa en ejecución ya no es el instalado ({running}): se "
                              "sustituyó después del arranque."},
        .lost = {.en = "Nothing; the version that runs is the previous one.",
                 .es = "Nada; la versión en ejecución es la anterior."},
        .remedy = kRunning},
};

inline Evidence::Members evidence_of(const Facts::Installation& installation) {
    constexpr std::size_t kMostShown = 20;
    Evidence::List files;
    Evidence::List names;
    for (const auto& one : installation.differences) {
        if (files.size() == kMostShown) {
            break;
        }
        files.emplace_back(
            Evidence::Members{{"path", one.path},
                              {"found", one.found ? Evidence(one.found->hex()) : Evidence()},
                              {"expected", one.expected.hex()},
                              {"error", one.error}});
        names.emplace_back(one.path);
    }
    const auto more = static_cast<std::int64_t>(installation.differences.size() - files.size());
    return {{"manifest", installation.manifest},
            {"files", std::move(files)},
            {"names", std::move(names)},
            {"more", more},
            {"error", installation.manifest_error},
            {"reinstall_command", installation.reinstall_command}};
}

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& installation = facts.installation;
    if (!installation.known) {
        return Finding::unknown("the installed files were not compared yet");
    }
    if (!installation.manifest_error.empty()) {
        return Finding::failing(Severity::Critical, "manifest-damaged", evidence_of(installation));
    }
    if (!installation.differences.empty()) {
        return Finding::failing(Severity::Critical, "files-differ", evidence_of(installation));
    }
    if (!installation.running_replaced.empty()) {
        return Finding::failing(
            Severity::Minor,
            "restart-needed",
            {{"manifest", installation.manifest}, {"running", installation.running_replaced}});
    }
    return Finding::ok();
}

}  // namespace installation_modified_parts

inline constexpr Fault installation_modified{
    .id = 110,
    .key = "installation-modified",
    .severity = Severity::Critical,
    .title = {.en = "Installed files of the connector were modified",
              .es = "Se modificaron archivos instalados del conector"},
    .summary = {.en =
                    "Raised when a program, unit, definition or SELinux module of the connector "
                    "differs from what its package installed. The policy file is yours and is not "
                    "compared.",
                .es =
                    "Se notifica cuando un programa, unidad, definición o módulo de SELinux del "
                    "conector difiere de lo que instaló su paquete. El archivo de política es suyo "
                    "y no se compara."},
    .causes = installation_modified_parts::kCauses,
    .probe = installation_modified_parts::probe,
    // An upgrade replaces one file after the other, and the service starts anew after the last.
    .timing = {.raise_after = std::chrono::milliseconds{30'000}},
};

}  // namespace vigia::health::faults
