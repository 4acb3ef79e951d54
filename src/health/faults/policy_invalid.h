// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: problems[]{file, line, column, key, message, suggestion?}, count, first (as a line),
// file, in_force.
namespace policy_invalid_parts {

inline constexpr std::array kRemedy{
    Step{.text = {.en = "Look at every mistake with its line and column.",
                  .es = "Vea todos los errores con su línea y columna."},
         .command = "vigia policy check {file}"},
    Step{.text = {.en = "Correct the file. It is read again as soon as it is saved.",
                  .es = "Corrija el archivo. Se vuelve a leer en cuanto se guarda."}},
};

inline constexpr std::array kCauses{
    Cause{
        .word = "invalid",
        .description = {.en = "The policy file has {count} mistake(s) and was refused. The first: "
                              "{first}",
                        .es = "El archivo de política tiene {count} error(es) y fue rechazado. El "
                              "primero: {first}"},
        .lost = {.en = "What the file says is not in force. In force, with everything it asks for, "
                       "is: {in_force}.",
                 .es = "Lo que dice el archivo no está en vigor. Está en vigor, con todo lo que "
                       "pide: {in_force}."},
        .remedy = kRemedy},
};

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& problems = facts.policy.problems;
    if (problems.empty()) {
        return Finding::ok();
    }
    constexpr std::size_t kMostShown = 50;
    Evidence::List list;
    for (const auto& problem : problems) {
        if (list.size() == kMostShown) {
            break;
        }
        Evidence::Members one{{"file", problem.file},
                              {"line", problem.line},
                              {"column", problem.column},
                              {"key", problem.key},
                              {"message", problem.message}};
        if (!problem.suggestion.empty()) {
            one.emplace_back("suggestion", problem.suggestion);
        }
        list.emplace_back(std::move(one));
    }
    const auto& first = problems.front();
    return Finding::failing(
        Severity::Major,
        "invalid",
        {{"problems", std::move(list)},
         {"count", static_cast<std::uint64_t>(problems.size())},
         {"first",
          std::to_string(first.line) + ":" + std::to_string(first.column) + " " +
              (first.key.empty() ? "" : first.key + ": ") + first.message},
         {"file", first.file},
         {"in_force", facts.policy.in_force}});
}

}  // namespace policy_invalid_parts

inline constexpr Fault policy_invalid{
    .id = 105,
    .key = "policy-invalid",
    .severity = Severity::Major,
    .title = {.en = "The policy file is not valid", .es = "El archivo de política no es válido"},
    .summary = {.en = "Raised while the policy file has a mistake. A file is taken whole or not at "
                      "all; the last good policy stays in force.",
                .es = "Se notifica mientras el archivo de política tiene un error. Un archivo se "
                      "acepta entero o no se acepta; sigue en vigor la última política correcta."},
    .causes = policy_invalid_parts::kCauses,
    .probe = policy_invalid_parts::probe,
    .timing = {.clear_after = std::chrono::milliseconds{0}},
};

}  // namespace vigia::health::faults
