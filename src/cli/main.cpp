// SPDX-License-Identifier: GPL-2.0-or-later
#include <CLI/CLI.hpp>
#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdlib>

#include "cli/verbs.h"

namespace {

using namespace vigia::cli;

Language language_of_locale() {
    for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
        if (value != nullptr && *value != '\0') {
            return std::string_view(value).starts_with("es") ? Language::Spanish
                                                             : Language::English;
        }
    }
    return Language::English;
}

// `vigia help [VERB]`: the same as VERB --help.
void add_help(CLI::App& app, Action& action) {
    auto* verb = app.add_subcommand("help", "explain a verb");
    auto name = std::make_shared<std::string>();
    verb->add_option("VERB", *name, "which one");
    verb->callback([&app, &action, name] {
        action = [&app, name](const Context& /*context*/) {
            const auto verbs =
                std::as_const(app).get_subcommands([](const CLI::App*) { return true; });
            const auto known = std::ranges::find(verbs, *name, &CLI::App::get_name);
            const auto* found = known == verbs.end() ? nullptr : *known;
            if (name->empty()) {
                found = &app;
            }
            if (found == nullptr) {
                fmt::print(stderr, "vigia: no verb '{}'; see vigia help\n", *name);
                return Exit::Usage;
            }
            fmt::print("{}", found->help(name->empty() ? "vigia" : "vigia " + *name));
            return Exit::Fine;
        };
    });
}

}  // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_ALL, "");
    ::signal(SIGPIPE, SIG_DFL);  // `vigia events | head` ends quietly
    ::curl_global_init(CURL_GLOBAL_DEFAULT);
    Context context{.language = language_of_locale(),
                    .colour = ::isatty(STDOUT_FILENO) == 1 &&
                              std::getenv("NO_COLOR") == nullptr,  // NOLINT(concurrency-mt-unsafe)
                    .terminal = ::isatty(STDERR_FILENO) == 1};
    Action action;
    std::string language;
    CLI::App app("vigia: what the Vigía connector sees, does and needs");
    app.set_version_flag("--version", "vigia " VIGIA_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--prefix", context.prefix, "the instance under DIR")->type_name("DIR");
    app.add_flag("--json", context.json, "one JSON document (one per line for streams)");
    app.add_option("--lang", language, "en or es (default: the locale's)")
        ->check(CLI::IsMember({"en", "es"}));
    add_status(app, action);
    add_selftest(app, action);
    add_scan(app, action);
    add_quarantine(app, action);
    add_events(app, action);
    add_policy(app, action);
    add_definitions(app, action);
    add_help(app, action);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::Usage);
    }
    if (!language.empty()) {
        context.language = language == "es" ? Language::Spanish : Language::English;
    }
    return static_cast<int>(action(context));
}
