// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <memory>

#include "base/text.h"
#include "cli/completion.h"
#include "cli/fault_pages.h"
#include "cli/journal_catalog.h"
#include "cli/manual.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

Exit generate(const Context& context, const Verb& root, std::string_view what) {
    if (what == "man") {
        fmt::print("{}", manual(root, context.language));
    } else if (what == "bash") {
        fmt::print("{}", bash_completion(root));
    } else if (what == "zsh") {
        fmt::print("{}", zsh_completion(root, context.language));
    } else if (what == "fish") {
        fmt::print("{}", fish_completion(root, context.language));
    } else if (what == "faults") {
        fmt::print("{}", fault_pages(context.language));
    } else if (what == "catalog") {
        fmt::print("{}", journal_catalog(context.language));
    } else {
        fmt::print(stderr,
                   "vigia generate: '{}': man, bash, zsh, fish, faults or catalog\n",
                   printable(what));
        return Exit::Usage;
    }
    return Exit::Fine;
}

}  // namespace

Verb generate_verb(const Verb& root) {
    auto what = std::make_shared<std::string>();
    return {
        .name = "generate",
        .help = {"the manual, a shell's completion, the page of faults or the journal's message "
                 "catalogue, for the build",
                 "el manual, el completado de un intérprete, la página de fallos o el catálogo de "
                 "mensajes del diario, para la construcción"},
        .positions = {{.name = "WHAT",
                       .help = {"man, bash, zsh, fish, faults or catalog",
                                "man, bash, zsh, fish, faults o catalog"},
                       .into = what.get()}},
        .action = [what, &root](const Context& context) { return generate(context, root, *what); },
        .hidden = true};
}

}  // namespace vigia::cli
