// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: state, domain, denied[], rule, module, package, install_command, module_command.
namespace selinux_policy_missing_parts {

inline constexpr std::array kModule{
    Step{
        .text = {.en = "Install the package with the SELinux tools, if it is not there: {package}.",
                 .es = "Instale el paquete con las herramientas de SELinux, si falta: {package}."},
        .command = "{install_command}"},
    Step{.text = {.en = "Install and enable the module that comes with the connector.",
                  .es = "Instale y active el módulo que viene con el conector."},
         .command = "{module_command}"},
    Step{.text = {.en = "Or add this rule to a policy of your own: {rule}",
                  .es = "O añada esta regla a una política propia: {rule}"}},
};

inline constexpr Text kLost{
    .en =
        "Processes and connections cannot be followed in the kernel. The file watch and scanning "
        "are not concerned by this rule.",
    .es =
        "No se pueden seguir procesos y conexiones en el núcleo. Esta regla no afecta a la "
        "vigilancia de archivos ni al análisis."};

inline constexpr HealPlan kHeal{
    .action = Heal::InstallSelinuxModule, .attempts = 1, .consent = Consent::ByHand};

inline constexpr std::array kCauses{
    Cause{
        .word = "module-not-installed",
        .description = {.en = "SELinux is enforcing, its policy denies bpf to {domain} ({denied}), "
                              "and the module vigia-bpf is not installed.",
                        .es = "SELinux está en modo obligatorio, su política niega bpf a {domain} "
                              "({denied}) y el módulo vigia-bpf no está instalado."},
        .lost = kLost,
        .remedy = kModule,
        .heal = kHeal},
    Cause{
        .word = "module-disabled",
        .description = {.en = "SELinux is enforcing, its policy denies bpf to {domain} ({denied}), "
                              "and the module vigia-bpf is disabled.",
                        .es = "SELinux está en modo obligatorio, su política niega bpf a {domain} "
                              "({denied}) y el módulo vigia-bpf está desactivado."},
        .lost = kLost,
        .remedy = kModule,
        .heal = kHeal},
    Cause{
        .word = "tools-missing",
        .description = {.en =
                            "SELinux is enforcing and denies bpf to {domain} ({denied}); the tools "
                            "to install the module vigia-bpf are missing ({package}).",
                        .es = "SELinux está en modo obligatorio y niega bpf a {domain} ({denied}); "
                              "faltan las herramientas para instalar el módulo vigia-bpf "
                              "({package})."},
        .lost = kLost,
        .remedy = kModule},
    Cause{
        .word = "denied",
        .description = {.en =
                            "SELinux is enforcing and denies bpf to {domain} ({denied}), although "
                            "the module vigia-bpf is installed.",
                        .es = "SELinux está en modo obligatorio y niega bpf a {domain} ({denied}), "
                              "aunque el módulo vigia-bpf está instalado."},
        .lost = kLost,
        .remedy = kModule},
};

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& selinux = facts.selinux;
    if (!selinux.state.is_known()) {
        return Finding::unknown(selinux.state.why_unknown.empty() ? "SELinux is not examined yet"
                                                                  : selinux.state.why_unknown);
    }
    if (*selinux.state != "enforcing") {
        return Finding::ok();
    }
    if (!selinux.allows_bpf.is_known()) {
        return Finding::unknown(selinux.allows_bpf.why_unknown);
    }
    if (*selinux.allows_bpf) {
        return Finding::ok();
    }
    const auto cause = selinux.module == "installed"  ? "denied"
                       : selinux.tools_missing        ? "tools-missing"
                       : selinux.module == "disabled" ? "module-disabled"
                                                      : "module-not-installed";
    return Finding::failing(
        Severity::Major,
        cause,
        {{"state", *selinux.state},
         {"domain", selinux.domain.empty() ? std::string("unconfined_service_t") : selinux.domain},
         {"denied",
          selinux.denied.empty()
              ? Evidence::List{"map_create", "map_read", "map_write", "prog_load", "prog_run"}
              : Evidence::List(selinux.denied.begin(), selinux.denied.end())},
         {"rule",
          "allow unconfined_service_t self:bpf { map_create map_read map_write prog_load prog_run "
          "};"},
         {"module", selinux.module},
         {"package", selinux.tools_package},
         {"install_command", selinux.install_tools_command},
         {"module_command", selinux.module_command}});
}

}  // namespace selinux_policy_missing_parts

inline constexpr Fault selinux_policy_missing{
    .id = 19,
    .key = "selinux-policy-missing",
    .severity = Severity::Major,
    .title = {.en = "SELinux policy missing or disabled",
              .es = "Falta la política de SELinux o está deshabilitada"},
    .summary = {.en =
                    "Raised when SELinux is enforcing and its policy does not let the connector's "
                    "domain use bpf.",
                .es =
                    "Se notifica cuando SELinux está en modo obligatorio y su política no permite "
                    "usar bpf al dominio del conector."},
    .gate = "processes.monitor, network.device_flow_correlation",
    .wanted = [](const Facts::Wanted& wanted) { return wanted.any_ebpf(); },
    .causes = selinux_policy_missing_parts::kCauses,
    .probe = selinux_policy_missing_parts::probe,
};

}  // namespace vigia::health::faults
