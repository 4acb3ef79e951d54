// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: kernel, missing[]{feature, capability, first_kernel, why}, features[], capabilities[]
// (lost), carried[], sufficient_kernel, secure_boot, lockdown.
namespace incompatible_kernel_parts {

inline constexpr std::array kRemedy{
    Step{.text = {.en = "Boot {sufficient_kernel}, which is installed and can do it.",
                  .es = "Arranque {sufficient_kernel}, que está instalado y sirve."},
         .command = "vigia doctor --kernel {sufficient_kernel}"},
    Step{.text = {.en = "Install a newer kernel of your distribution and boot it.",
                  .es = "Instale un núcleo más nuevo de su distribución y arránquelo."}},
    Step{.text = {.en =
                      "Or install a newer version of the connector, which may support this kernel.",
                  .es = "O instale una versión más nueva del conector, que puede admitir este "
                        "núcleo."}},
};

inline constexpr std::array kCauses{
    Cause{
        .word = "missing-features",
        .description = {.en = "The kernel {kernel} lacks what is wanted by policy: {features}.",
                        .es = "Al núcleo {kernel} le falta lo que pide la política: {features}."},
        .lost = {.en = "Lost: {capabilities}. Still there: {carried}. Scanning on demand goes on.",
                 .es = "Se pierde: {capabilities}. Sigue: {carried}. El análisis a petición "
                       "continúa."},
        .remedy = kRemedy},
};

inline void add_once(Evidence::List& list, const std::string& text) {
    for (const auto& one : list) {
        if (one == Evidence(text)) {
            return;
        }
    }
    list.emplace_back(text);
}

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& kernel = facts.kernel;
    if (kernel.missing.empty()) {
        if (!kernel.undecided.empty()) {
            return Finding::unknown(kernel.undecided.front());
        }
        return kernel.release.is_known() ? Finding::ok()
                                         : Finding::unknown("the kernel is not examined yet");
    }
    Evidence::List missing;
    Evidence::List features;
    Evidence::List capabilities;
    for (const auto& one : kernel.missing) {
        missing.emplace_back(Evidence::Members{{"feature", one.feature},
                                               {"capability", one.capability},
                                               {"first_kernel", one.first_kernel},
                                               {"why", one.why}});
        add_once(features, one.feature + " (" + one.first_kernel + ")");
        add_once(capabilities, one.capability);
    }
    Evidence::List carried(kernel.carried.begin(), kernel.carried.end());
    const bool nothing = carried.empty() && kernel.undecided.empty();
    if (carried.empty()) {
        carried.emplace_back("–");
    }
    return Finding::failing(
        nothing ? Severity::Critical : Severity::Major,
        "missing-features",
        {{"kernel", kernel.release.is_known() ? *kernel.release : std::string("(unknown)")},
         {"missing", std::move(missing)},
         {"features", std::move(features)},
         {"capabilities", std::move(capabilities)},
         {"carried", std::move(carried)},
         {"sufficient_kernel", kernel.sufficient_kernel},
         {"secure_boot", kernel.secure_boot},
         {"lockdown", kernel.lockdown}});
}

}  // namespace incompatible_kernel_parts

inline constexpr Fault incompatible_kernel{
    .id = 16,
    .key = "incompatible-kernel",
    .severity = Severity::Major,
    .title = {.en = "Incompatible kernel", .es = "Núcleo incompatible"},
    .summary =
        {.en = "Raised when the running kernel lacks a feature that something wanted by policy "
               "needs. Decided by asking the kernel, not by its version.",
         .es = "Se notifica cuando al núcleo en uso le falta algo que necesita lo que pide la "
               "política. Se decide preguntando al núcleo, no por su versión."},
    .gate = "files.monitor_copies_and_moves, processes.monitor, network.device_flow_correlation",
    .wanted =
        [](const Facts::Wanted& wanted) { return wanted.copies_and_moves || wanted.any_ebpf(); },
    .causes = incompatible_kernel_parts::kCauses,
    .probe = incompatible_kernel_parts::probe,
};

}  // namespace vigia::health::faults
