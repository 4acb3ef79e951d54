// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <system_error>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: errno, error, program, what (missing capability, hook, …), log[] (the last lines of the
// verifier or of libbpf), fallback, not_seen[], processes (how its programs fared: "run", or
// {cause, errno, program, what, log[]}), kernel, secure_boot, lockdown.
namespace network_monitor_failed_to_start_parts {

inline constexpr Text kLost{
    .en =
        "Which process talks to whom is found out by looking now and then ({fallback}): not seen "
        "are {not_seen}; connections cannot be refused. File events and scanning go on.",
    .es =
        "Qué proceso habla con quién se averigua mirando de vez en cuando ({fallback}): no se ven "
        "{not_seen}; no se pueden rechazar conexiones. Los eventos de archivos y el análisis "
        "continúan."};

inline constexpr Step kDoctor{
    .text = {.en = "See what this host allows.", .es = "Vea qué permite este equipo."},
    .command = "vigia doctor"};

inline constexpr Step kSwitchOff{
    .text = {.en = "Or switch network.device_flow_correlation off in the policy.",
             .es = "O desactive network.device_flow_correlation en la política."}};

inline constexpr std::array kPermission{
    Step{.text = {.en = "Let the service have it again: look for what takes it away (drop-ins, "
                        "SystemCallFilter, a container).",
                  .es = "Devuelva el permiso al servicio: busque qué lo quita (drop-ins, "
                        "SystemCallFilter, un contenedor)."},
         .command = "systemctl cat vigiad.service"},
    Step{.text = {.en = "Then start it again.", .es = "Después reinícielo."},
         .command = "systemctl restart vigiad.service"},
    kSwitchOff};

inline constexpr std::array kLockdown{
    Step{.text = {.en = "Boot without lockdown=confidentiality; integrity is enough for Secure "
                        "Boot and does not get in the way.",
                  .es = "Arranque sin lockdown=confidentiality; integrity basta para el arranque "
                        "seguro y no estorba."},
         .command = "cat /sys/kernel/security/lockdown"},
    kSwitchOff};

inline constexpr std::array kSelinux{
    Step{.text = {.en = "Follow fault 19, which says what SELinux denies and how to allow it.",
                  .es = "Siga el fallo 19, que dice qué niega SELinux y cómo permitirlo."},
         .command = "vigia faults explain 19"},
    kSwitchOff};

inline constexpr std::array kVerifier{
    Step{.text = {.en = "Install a newer version of the connector, or send a support bundle to its "
                        "makers: the log below says where the kernel does not accept the program.",
                  .es = "Instale una versión más nueva del conector o envíe un paquete de soporte "
                        "a sus autores: el registro dice dónde el núcleo no acepta el programa."}},
    kDoctor,
    kSwitchOff};

inline constexpr std::array kMemlock{
    Step{.text = {.en = "Give the service LimitMEMLOCK=infinity (kernels before 5.11 need it).",
                  .es = "Dé al servicio LimitMEMLOCK=infinity (lo necesitan los núcleos anteriores "
                        "a 5.11)."},
         .command = "systemctl edit vigiad.service"},
    Step{.text = {.en = "Then start it again.", .es = "Después reinícielo."},
         .command = "systemctl restart vigiad.service"},
    kSwitchOff};

inline constexpr std::array kOther{kDoctor, kSwitchOff};

inline constexpr std::array kTypes{
    Step{.text = {.en = "Follow fault 11 where it is raised: with the headers of the running "
                        "kernel, the types are derived from them.",
                  .es = "Siga el fallo 11 si se notifica: con las cabeceras del núcleo en uso se "
                        "derivan los tipos de ellas."},
         .command = "vigia faults explain 11"},
    kSwitchOff};

inline constexpr HealPlan kRetry{
    .action = Heal::RetryKernelMonitor, .attempts = 5, .backoff = std::chrono::seconds{30}};

inline constexpr std::array kCauses{
    Cause{.word = "no-permission",
          .description = {.en = "The kernel does not let the connector load its network programs: "
                                "{what} ({error}).",
                          .es = "El núcleo no deja al conector cargar sus programas de red: {what} "
                                "({error})."},
          .lost = kLost,
          .remedy = kPermission,
          .heal = kRetry},
    Cause{.word = "lockdown",
          .description = {.en = "The kernel is locked down for confidentiality, which forbids "
                                "programs to read its memory ({error}).",
                          .es = "El núcleo está bloqueado por confidencialidad, lo que impide a "
                                "los programas leer su memoria ({error})."},
          .lost = kLost,
          .remedy = kLockdown},
    Cause{.word = "selinux",
          .description = {.en = "SELinux denies loading the network programs ({error}).",
                          .es = "SELinux impide cargar los programas de red ({error})."},
          .lost = kLost,
          .remedy = kSelinux,
          .heal = kRetry},
    Cause{.word = "verifier",
          .description = {.en = "The kernel does not accept the program {program} ({error}).",
                          .es = "El núcleo no acepta el programa {program} ({error})."},
          .lost = kLost,
          .remedy = kVerifier},
    Cause{.word = "memlock",
          .description = {.en = "The limit of locked memory is too low for the network programs: "
                                "{what} bytes.",
                          .es = "El límite de memoria bloqueada es demasiado bajo para los "
                                "programas de red: {what} bytes."},
          .lost = kLost,
          .remedy = kMemlock,
          .heal = kRetry},
    Cause{.word = "no-hook",
          .description = {.en = "The kernel does not have, or does not allow, the place to attach "
                                "a network program to: {what} ({error}).",
                          .es = "El núcleo no tiene, o no permite, el punto donde enganchar un "
                                "programa de red: {what} ({error})."},
          .lost = kLost,
          .remedy = kOther,
          .heal = kRetry},
    Cause{.word = "no-btf",
          .description = {.en = "The kernel {kernel} does not describe its types (BTF), and they "
                                "could not be derived: {what}.",
                          .es = "El núcleo {kernel} no describe sus tipos (BTF) y no se pudieron "
                                "derivar: {what}."},
          .lost = kLost,
          .remedy = kTypes},
    Cause{.word = "load-failed",
          .description = {.en = "The network programs could not be loaded: {error} {what}",
                          .es = "No se pudieron cargar los programas de red: {error} {what}"},
          .lost = kLost,
          .remedy = kOther,
          .heal = kRetry},
};

inline Evidence::List lines_of(const std::string& log) {
    Evidence::List lines;
    for (std::size_t at = 0; at < log.size();) {
        const auto end = std::min(log.find('\n', at), log.size());
        lines.emplace_back(log.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

inline Evidence::Members told(const Facts::Programs::Refusal& refusal) {
    return {{"cause", refusal.cause},
            {"errno", refusal.error_number},
            {"error", std::system_category().message(refusal.error_number)},
            {"program", refusal.program},
            {"what", refusal.detail.empty() ? std::string("–") : refusal.detail},
            {"log", lines_of(refusal.log)}};
}

inline std::string_view word_of(const std::string& cause) {
    for (const auto& known : kCauses) {
        if (known.word == cause) {
            return known.word;
        }
    }
    return "load-failed";
}

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& programs = facts.programs;
    if (!programs.tried) {
        return Finding::unknown("the network programs are being loaded");
    }
    if (!programs.network) {
        return Finding::ok();
    }
    auto evidence = told(*programs.network);
    evidence.erase(evidence.begin());  // the cause is the fault's own
    if (programs.no_types && !programs.derive_error.empty()) {
        for (auto& [key, value] : evidence) {
            if (key == "what") {
                value = programs.derive_error;
            }
        }
    }
    evidence.emplace_back("fallback",
                          programs.fallback.empty() ? std::string("–") : programs.fallback);
    evidence.emplace_back(
        "not_seen",
        Evidence::List{
            "short-lived connections", "byte counts of UDP", "other network namespaces"});
    if (programs.processes) {
        evidence.emplace_back("processes", told(*programs.processes));
    } else {
        evidence.emplace_back("processes",
                              programs.processes_run ? std::string("run") : std::string("off"));
    }
    evidence.emplace_back(
        "kernel",
        facts.kernel.release.is_known() ? *facts.kernel.release : std::string("(unknown)"));
    evidence.emplace_back("secure_boot", facts.kernel.secure_boot);
    evidence.emplace_back("lockdown", facts.kernel.lockdown);
    return Finding::failing(Severity::Major, word_of(programs.network->cause), std::move(evidence));
}

}  // namespace network_monitor_failed_to_start_parts

inline constexpr Fault network_monitor_failed_to_start{
    .id = 9,
    .key = "network-monitor-failed-to-start",
    .severity = Severity::Major,
    .title = {.en = "Network monitor failed to start", .es = "El monitor de red no pudo iniciarse"},
    .summary =
        {.en = "Raised when the programs that follow connections in the kernel (eBPF) could not be "
               "loaded or attached. Decided by loading them, tried again by itself.",
         .es = "Se notifica cuando los programas que siguen las conexiones en el núcleo (eBPF) no "
               "se pudieron cargar o enganchar. Se decide cargándolos, y se reintenta solo."},
    .gate = "network.device_flow_correlation",
    .wanted = [](const Facts::Wanted& wanted) { return wanted.flows; },
    .causes = network_monitor_failed_to_start_parts::kCauses,
    .probe = network_monitor_failed_to_start_parts::probe,
};

}  // namespace vigia::health::faults
