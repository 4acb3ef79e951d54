// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"

namespace vigia::cli {
namespace {

Exit show(const Context& context) {
    auto exit = Exit::Fine;
    const auto definitions = fetch(context, "/v1/definitions", exit);
    if (!definitions) {
        return exit;
    }
    if (context.json) {
        fmt::print("{}\n", definitions->dump());
        return Exit::Fine;
    }
    fmt::print("{} {}, {} {}\n",
               context.say({"generation", "generación"}),
               printable_member(*definitions, "generation"),
               grouped(definitions->value("signatures", std::uint64_t{0})),
               context.say({"signatures", "firmas"}));
    if (definitions->contains("sources")) {
        for (const auto& source : definitions->at("sources")) {
            fmt::print("  {:<9} {}  {} {}  {}\n",
                       printable_member(source, "kind"),
                       printable_member(source, "path"),
                       source.value("files", std::uint64_t{0}),
                       context.say({"files", "archivos"}),
                       sentence_member(source, "detail"));
        }
    }
    return Exit::Fine;
}

}  // namespace

Verb definitions_verb() {
    return {.name = "definitions",
            .help = {"the definitions in use", "las definiciones en uso"},
            .verbs = {{.name = "show",
                       .help = {"generation, signatures, sources", "generación, firmas, fuentes"},
                       .action = show}}};
}

}  // namespace vigia::cli
