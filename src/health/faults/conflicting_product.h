// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: products[]{pid, program, product}, names[].
namespace conflicting_product_parts {

inline constexpr std::array kRemedy{
    Step{
        .text = {.en =
                     "Decide which product scans on access, and switch the other one off: {names}.",
                 .es = "Decida qué producto analiza al acceder y desactive el otro: {names}."}},
    Step{.text = {.en = "If both are to stay, exclude each one's folders in the other.",
                  .es = "Si deben quedar los dos, excluya en cada uno las carpetas del otro."},
         .command = "vigia policy show"},
};

inline constexpr std::array kCauses{
    Cause{
        .word = "other-scanner",
        .description = {.en = "Another program scans or decides when files are opened: {names}.",
                        .es = "Otro programa analiza o decide cuando se abren archivos: {names}."},
        .lost = {.en =
                     "Nothing is lost; each of the two slows down what the other does, and a file "
                     "may be put away by either.",
                 .es =
                     "No se pierde nada; cada uno hace más lento lo que hace el otro, y cualquiera "
                     "puede apartar un archivo."},
        .remedy = kRemedy},
};

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& others = facts.other_scanners;
    if (!others.is_known()) {
        return Finding::unknown(others.why_unknown.empty()
                                    ? "other scanners were not looked for yet"
                                    : others.why_unknown);
    }
    if (others->empty()) {
        return Finding::ok();
    }
    Evidence::List products;
    Evidence::List names;
    for (const auto& one : *others) {
        constexpr std::size_t kMostShown = 20;
        if (products.size() == kMostShown) {
            break;
        }
        products.emplace_back(Evidence::Members{
            {"pid", one.pid}, {"program", one.program}, {"product", one.product}});
        names.emplace_back((one.product.empty() ? one.program : one.product) + " (pid " +
                           std::to_string(one.pid) + ")");
    }
    return Finding::failing(Severity::Minor,
                            "other-scanner",
                            {{"products", std::move(products)}, {"names", std::move(names)}});
}

}  // namespace conflicting_product_parts

inline constexpr Fault conflicting_product{
    .id = 107,
    .key = "conflicting-product",
    .severity = Severity::Minor,
    .title = {.en = "Another on-access scanner is active",
              .es = "Hay otro analizador en tiempo real activo"},
    .summary = {.en =
                    "Raised when another program decides about or scans files as they are opened.",
                .es = "Se notifica cuando otro programa decide sobre los archivos o los analiza al "
                      "abrirse."},
    .gate = "files.monitor_copies_and_moves",
    .wanted = [](const Facts::Wanted& wanted) { return wanted.copies_and_moves; },
    .causes = conflicting_product_parts::kCauses,
    .probe = conflicting_product_parts::probe,
    // A scan by hand of another product is none of our business.
    .timing = {.raise_after = std::chrono::milliseconds{5000},
               .clear_after = std::chrono::milliseconds{5000}},
};

}  // namespace vigia::health::faults
