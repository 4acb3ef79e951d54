// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: kernel, looked_in[], found_releases[], package, install_command, lacks[],
// file_watch (that of files goes on).
namespace kernel_headers_missing_parts {

inline constexpr std::array kInstall{
    Step{.text = {.en = "Install the headers of the running kernel ({package}); they are picked up "
                        "without a restart.",
                  .es = "Instale las cabeceras del núcleo en uso ({package}); se detectan sin "
                        "reiniciar."},
         .command = "{install_command}"},
    Step{
        .text = {.en = "Headers of other kernels are installed: {found_releases}. If one of these "
                       "kernels is to run, boot it.",
                 .es =
                     "Hay cabeceras de otros núcleos: {found_releases}. Si debe usarse uno de esos "
                     "núcleos, arránquelo."}},
    Step{.text = {.en =
                      "Or use a kernel with type information (CONFIG_DEBUG_INFO_BTF), which needs "
                      "no headers; or switch processes.monitor and "
                      "network.device_flow_correlation off in the policy.",
                  .es = "O use un núcleo con información de tipos (CONFIG_DEBUG_INFO_BTF), que no "
                        "necesita cabeceras; o desactive processes.monitor y "
                        "network.device_flow_correlation en la política."}},
};

inline constexpr Text kLost{
    .en =
        "Processes and connections cannot be followed in the kernel, and file events lack the "
        "program that caused them. The file watch itself and scanning go on.",
    .es =
        "No se pueden seguir procesos y conexiones en el núcleo, y los eventos de archivos no "
        "llevan el programa que los causó. La vigilancia de archivos y el análisis continúan."};

inline constexpr HealPlan kHeal{.action = Heal::InstallHeaders,
                                .attempts = 2,
                                .backoff = std::chrono::minutes{10},
                                .consent = Consent::Packages};

inline constexpr std::array kCauses{
    Cause{
        .word = "no-btf-no-headers",
        .description = {.en = "The kernel {kernel} has no type information (BTF), and its headers "
                              "are not installed.",
                        .es = "El núcleo {kernel} no tiene información de tipos (BTF) y sus "
                              "cabeceras no están instaladas."},
        .lost = kLost,
        .remedy = kInstall,
        .heal = kHeal},
    Cause{
        .word = "headers-incomplete",
        .description = {.en = "The kernel {kernel} has no type information (BTF), and its headers "
                              "lack {lacks}.",
                        .es = "El núcleo {kernel} no tiene información de tipos (BTF) y a sus "
                              "cabeceras les falta {lacks}."},
        .lost = kLost,
        .remedy = kInstall,
        .heal = kHeal},
};

inline Evidence::List list_of(const std::vector<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& kernel = facts.kernel;
    if (!kernel.has_btf.is_known()) {
        return Finding::unknown(kernel.has_btf.why_unknown.empty()
                                    ? "the kernel is not examined yet"
                                    : kernel.has_btf.why_unknown);
    }
    // Where the kernel could not run the programs anyway, headers would not help (fault 16).
    if (*kernel.has_btf || kernel.programs_impossible) {
        return Finding::ok();
    }
    if (!kernel.has_headers.is_known()) {
        return Finding::unknown(kernel.has_headers.why_unknown);
    }
    if (*kernel.has_headers) {
        return Finding::ok();
    }
    return Finding::failing(
        Severity::Major,
        kernel.headers_lack.empty() ? "no-btf-no-headers" : "headers-incomplete",
        {{"kernel", kernel.release.is_known() ? *kernel.release : std::string("(unknown)")},
         {"package", kernel.headers_package},
         {"install_command", kernel.install_headers_command},
         {"looked_in", list_of(kernel.looked_in)},
         {"found_releases", list_of(kernel.found_releases)},
         {"lacks", list_of(kernel.headers_lack)},
         {"file_watch", "goes on"}});
}

}  // namespace kernel_headers_missing_parts

inline constexpr Fault kernel_headers_missing{
    .id = 11,
    .key = "kernel-headers-missing",
    .severity = Severity::Major,
    .title = {.en = "Kernel headers missing", .es = "Faltan las cabeceras del núcleo"},
    .summary =
        {.en = "Raised when the running kernel has no type information (BTF) and its headers "
               "are not installed, so that programs in the kernel cannot be prepared.",
         .es = "Se notifica cuando el núcleo en uso no tiene información de tipos (BTF) ni "
               "están instaladas sus cabeceras, de modo que no se pueden preparar programas en "
               "el núcleo."},
    .gate = "files.monitor_copies_and_moves, processes.monitor, network.device_flow_correlation",
    .wanted =
        [](const Facts::Wanted& wanted) { return wanted.copies_and_moves || wanted.any_ebpf(); },
    .causes = kernel_headers_missing_parts::kCauses,
    .probe = kernel_headers_missing_parts::probe,
};

}  // namespace vigia::health::faults
