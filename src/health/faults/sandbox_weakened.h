// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: sandbox, seccomp, landlock, namespaces.
namespace sandbox_weakened_parts {

inline constexpr std::array kFiles{
    Step{
        .text = {.en = "Use a kernel with Landlock in its list of security modules (5.13 or later, "
                       "lsm=…,landlock).",
                 .es = "Use un núcleo con Landlock en su lista de módulos de seguridad (5.13 o "
                       "posterior, lsm=…,landlock)."},
        .command = "cat /sys/kernel/security/lsm"},
    Step{.text = {.en = "Or let the service make namespaces: give it CAP_SYS_ADMIN, and take away "
                        "RestrictNamespaces= from its unit.",
                  .es = "O permita que el servicio cree espacios de nombres: dele CAP_SYS_ADMIN y "
                        "quite RestrictNamespaces= de su unidad."},
         .command = "systemctl cat vigiad"},
};

inline constexpr std::array kCalls{
    Step{.text = {.en = "Use a kernel with CONFIG_SECCOMP_FILTER, and see that no outer filter "
                        "forbids seccomp().",
                  .es = "Use un núcleo con CONFIG_SECCOMP_FILTER y compruebe que ningún filtro "
                        "externo prohíbe seccomp()."},
         .command = "grep Seccomp /proc/self/status"},
};

inline constexpr std::array kCauses{
    Cause{
        .word = "no-file-isolation",
        .description = {.en = "The scan workers are held neither by Landlock nor by an empty root: "
                              "{sandbox}",
                        .es = "Los procesos de análisis no están limitados ni por Landlock ni por "
                              "una raíz vacía: {sandbox}"},
        .lost =
            {.en = "A worker taken over by a hostile file could read what its user may read. The "
                   "system-call filter still stops everything else.",
             .es = "Un proceso dominado por un archivo hostil podría leer lo que su usuario puede "
                   "leer. El filtro de llamadas sigue impidiendo lo demás."},
        .remedy = kFiles},
    Cause{
        .word = "no-system-call-filter",
        .description = {.en = "The scan workers run without a system-call filter: {sandbox}",
                        .es =
                            "Los procesos de análisis funcionan sin filtro de llamadas: {sandbox}"},
        .lost = {.en = "A worker taken over by a hostile file could use every system call its user "
                       "may use, within Landlock and its empty root.",
                 .es = "Un proceso dominado por un archivo hostil podría usar cualquier llamada "
                       "permitida a su usuario, dentro de Landlock y de su raíz vacía."},
        .remedy = kCalls},
};

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& scan = facts.scan;
    if (!scan.sandbox_known) {
        return Finding::unknown("no scan worker has reported its sandbox yet");
    }
    Evidence::Members evidence{{"sandbox", scan.sandbox_detail},
                               {"seccomp", scan.seccomp},
                               {"landlock", scan.landlock},
                               {"namespaces", scan.namespaces}};
    if (!scan.seccomp) {
        return Finding::failing(Severity::Major, "no-system-call-filter", std::move(evidence));
    }
    if (!scan.landlock && !scan.namespaces) {
        return Finding::failing(Severity::Major, "no-file-isolation", std::move(evidence));
    }
    return Finding::ok();
}

}  // namespace sandbox_weakened_parts

inline constexpr Fault sandbox_weakened{
    .id = 108,
    .key = "sandbox-weakened",
    .severity = Severity::Major,
    .title = {.en = "The sandbox of the scan service is weakened",
              .es = "El aislamiento del servicio de análisis está debilitado"},
    .summary = {.en = "Raised when the workers that parse hostile files run without a system-call "
                      "filter, or with neither Landlock nor an empty root.",
                .es = "Se notifica cuando los procesos que tratan archivos hostiles funcionan sin "
                      "filtro de llamadas, o sin Landlock ni raíz vacía."},
    .causes = sandbox_weakened_parts::kCauses,
    .probe = sandbox_weakened_parts::probe,
};

}  // namespace vigia::health::faults
