// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/program.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"
#include "cli/help.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

constexpr std::string_view kLanguageOption = "--lang";

std::optional<Language> language_named(std::string_view name) {
    return name == "es"   ? std::optional(Language::Spanish)
           : name == "en" ? std::optional(Language::English)
                          : std::nullopt;
}

// Errors of the command line shall be in the language that it asks for itself.
Language language_asked(std::span<const std::string> arguments, Language otherwise) {
    for (std::size_t at = 0; at < arguments.size() && arguments[at] != "--"; ++at) {
        const std::string_view given = arguments[at];
        if (!given.starts_with(kLanguageOption)) {
            continue;
        }
        const auto rest = given.substr(kLanguageOption.size());
        std::optional<Language> asked;
        if (rest.starts_with('=')) {
            asked = language_named(rest.substr(1));
        } else if (rest.empty() && at + 1 < arguments.size()) {
            asked = language_named(arguments[at + 1]);
        }
        if (asked) {
            return *asked;
        }
    }
    return otherwise;
}

Exit refuse(Language language, std::string_view problem, const Path& path) {
    fmt::print(stderr,
               "{} ({} vigia help{})\n",
               problem,
               Text{"see", "véase"}.in(language),
               name_of(path).substr(path.front()->name.size()));
    return Exit::Usage;
}

// `vigia help [VERB…]`: the same as VERB --help.
Verb help_verb(const Verb& root) {
    auto names = std::make_shared<std::vector<std::string>>();
    const auto action = [names, &root](const Context& context) {
        Path path{&root};
        for (const auto& name : *names) {
            const auto* below = find_verb(*path.back(), name);
            if (below == nullptr) {
                const auto parsed = parse(root, *names, context.language);
                return refuse(context.language,
                              parsed ? fmt::format("{}: {} '{}'",
                                                   name_of(path),
                                                   context.say({"no verb", "no existe el verbo"}),
                                                   printable(name))
                                     : parsed.error().problem,
                              path);
            }
            path.push_back(below);
        }
        fmt::print("{}", help_text(path, context.language));
        return Exit::Fine;
    };
    return {
        .name = "help",
        .help = {"explain a verb", "explica un verbo"},
        .positions = {{.name = "VERB",
                       .help = {"which one; nothing: all of them", "cuál; sin indicarlo: todos"},
                       .required = false,
                       .into = names.get()}},
        .action = action};
}

}  // namespace

Program::Program() {
    root_ = {
        .name = "vigia",
        .help = {"what the Vigía connector sees, does and needs",
                 "qué ve, qué hace y qué necesita el conector Vigía"},
        .options = {{.name = "--json",
                     .help = {"one JSON document (one per line for streams)",
                              "un documento JSON (uno por línea en los flujos)"},
                     .into = &settings_.json},
                    {.name = kLanguageOption,
                     .value = "LANGUAGE",
                     .help = {"of texts (default: the locale's)",
                              "de los textos (si no, el del sistema)"},
                     .choices = {"en", "es"},
                     .into = &settings_.language},
                    {.name = "--prefix",
                     .value = "DIR",
                     .help = {"the instance below this folder", "la instancia bajo esta carpeta"},
                     .completion = Completion::Folder,
                     .into = &settings_.prefix},
                    {.name = "--help",
                     .letter = 'h',
                     .help = {"explain the verb", "explica el verbo"},
                     .into = &settings_.help},
                    {.name = "--version",
                     .help = {"tell the version", "indica la versión"},
                     .into = &settings_.version}},
        .verbs = {status_verb(),
                  faults_verb(),
                  doctor_verb(),
                  selftest_verb(),
                  scan_verb(),
                  quarantine_verb(),
                  events_verb(),
                  top_verb(),
                  exclusions_verb(),
                  policy_verb(),
                  definitions_verb(),
                  help_verb(root_),
                  generate_verb(root_)},
    };
}

Exit Program::run(std::span<const std::string> arguments, Context context) {
    context.language = language_asked(arguments, context.language);
    const auto parsed = parse(root_, arguments, context.language);
    if (!parsed) {
        return refuse(context.language, parsed.error().problem, parsed.error().path);
    }
    if (settings_.version) {
        fmt::print("vigia {}\n", VIGIA_VERSION);
        return Exit::Fine;
    }
    if (settings_.help) {
        fmt::print("{}", help_text(parsed->path, context.language));
        return Exit::Fine;
    }
    if (!parsed->missing.empty()) {
        return refuse(context.language, parsed->missing, parsed->path);
    }
    context.prefix = settings_.prefix;
    context.json = settings_.json;
    return parsed->path.back()->action(context);
}

}  // namespace vigia::cli
