// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

using nlohmann::json;

constexpr long kOk = 200;

std::string rule_text(const Context& context, const json& rule) {
    auto text = fmt::format("{} {}", rule.value("kind", ""), printable_member(rule, "value"));
    if (const auto user = printable_member(rule, "user"); !user.empty()) {
        text += fmt::format(", {} {}", context.say({"user", "usuario"}), user);
    }
    return text + std::string(rule.value("children", false)
                                  ? context.say({", with children", ", con sus hijos"})
                                  : "");
}

// ---- list, test, suggest --------------------------------------------------------------------

void print_set(const Context& context, const json& set) {
    fmt::print("{}  {}", printable_member(set, "name"), printable_member(set, "reason"));
    if (set.contains("expires") && set["expires"].is_string()) {
        const bool expired = set.value("expired", false);
        const auto text = fmt::format(
            "{} {}",
            expired ? context.say({"EXPIRED", "CADUCADA"}) : context.say({"until", "hasta"}),
            printable_member(set, "expires"));
        fmt::print("  {}", paint(context, expired ? Tone::Warning : Tone::Faint, text));
    }
    fmt::print("\n");
    for (const auto& rule : set.value("rules", json::array())) {
        constexpr std::size_t kWidth = 56;
        fmt::print("  {}  {} {}\n",
                   padded(rule_text(context, rule), kWidth),
                   grouped(rule.value("left_out", std::uint64_t{0})),
                   context.say({"left out", "omitidos"}));
    }
}

Exit list(const Context& context) {
    auto exit = Exit::Fine;
    const auto body = fetch(context, "/v1/exclusions", exit);
    if (!body) {
        return exit;
    }
    if (context.json) {
        fmt::print("{}\n", body->dump());
        return Exit::Fine;
    }
    for (const auto& set : body->at("sets")) {
        print_set(context, set);
    }
    if (body->at("sets").empty()) {
        fmt::print("{}\n", context.say({"no exclusions", "sin exclusiones"}));
    }
    return Exit::Fine;
}

struct Tested {
    std::string path;
    std::string process;
    std::string user;
};

Exit test(const Context& context, const Tested& asked) {
    const auto path = std::filesystem::absolute(asked.path).lexically_normal();
    auto exit = Exit::Fine;
    const auto body = fetch(context,
                            "/v1/exclusions/test?path=" + url_encode(path.native()) + "&process=" +
                                url_encode(asked.process) + "&user=" + url_encode(asked.user),
                            exit);
    if (!body) {
        return exit;
    }
    const bool excluded = body->value("excluded", false);
    if (context.json) {
        fmt::print("{}\n", body->dump());
    } else if (excluded) {
        fmt::print(
            "{}: {} {} ({}: {})\n",
            context.say({"excluded by", "excluido por"}),
            printable_member(*body, "rule"),
            fmt::format(
                "{} {}", context.say({"of set", "del conjunto"}), printable_member(*body, "set")),
            context.say({"reason", "motivo"}),
            printable_member(*body, "why"));
    } else {
        const auto expired = printable_member(*body, "expired");
        fmt::print("{}{}\n",
                   context.say({"not excluded", "no excluido"}),
                   expired.empty()
                       ? ""
                       : fmt::format("; {} {}",
                                     context.say({"a rule would match, but has expired: set",
                                                  "una regla coincidiría, pero ha caducado: "
                                                  "conjunto"}),
                                     expired));
    }
    return excluded ? Exit::Fine : Exit::No;
}

std::string_view warning_text(const Context& context, const std::string& warning) {
    struct Warning {
        std::string_view word;
        Text text;
    };

    constexpr std::array kWarnings{
        Warning{"shell",
                {"a shell: this leaves out whatever anybody lets it do",
                 "un intérprete de órdenes: omite todo lo que cualquiera le haga hacer"}},
        Warning{"interpreter",
                {"an interpreter: this leaves out every script it runs",
                 "un intérprete: omite todos los programas que ejecute"}},
        Warning{"package-manager",
                {"a package manager: this leaves out whatever is installed",
                 "un gestor de paquetes: omite todo lo que se instale"}},
        Warning{"world-writable",
                {"anybody can write there: this leaves out whatever anybody puts there",
                 "cualquiera puede escribir ahí: omite todo lo que cualquiera ponga"}}};
    for (const auto& one : kWarnings) {
        if (one.word == warning) {
            return context.say(one.text);
        }
    }
    return {};
}

Exit suggest(const Context& context) {
    auto exit = Exit::Fine;
    const auto body = fetch(context, "/v1/exclusions/suggest", exit);
    if (!body) {
        return exit;
    }
    if (context.json) {
        fmt::print("{}\n", body->dump());
        return Exit::Fine;
    }
    for (const auto& one : body->at("suggestions")) {
        fmt::print("{:>5.1f}%  {}\n        {}\n",
                   one.value("share", 0.0) * 100,
                   rule_text(context, one.at("rule")),
                   sentence_member(one, "command"));
        if (const auto warning = warning_text(context, one.value("warning", ""));
            !warning.empty()) {
            fmt::print("        {}\n", paint(context, Tone::Warning, warning));
        }
    }
    if (body->at("suggestions").empty()) {
        fmt::print("{}\n",
                   context.say({"nothing to suggest: no program stands out",
                                "nada que sugerir: ningún programa destaca"}));
    }
    return Exit::Fine;
}

// ---- add, remove ----------------------------------------------------------------------------

struct Change {
    std::string set;
    std::string path;
    std::string wildcard;
    std::string extension;
    std::string threat;
    std::string process;
    std::string user;
    bool children = false;
    std::string reason;
    std::string expires;
};

// "path" and its value; nothing, and told, if it is not exactly one.
std::optional<std::pair<std::string_view, std::string>> rule_of(const Context& context,
                                                                const Change& change) {
    std::optional<std::pair<std::string_view, std::string>> rule;
    int given = 0;
    for (const auto& [kind, value] :
         {std::pair<std::string_view, const std::string&>{"path", change.path},
          {"wildcard", change.wildcard},
          {"extension", change.extension},
          {"threat", change.threat},
          {"process", change.process}}) {
        if (!value.empty()) {
            rule.emplace(kind, value);
            ++given;
        }
    }
    if (given != 1) {
        fmt::print(stderr,
                   "vigia: {}\n",
                   context.say({"give exactly one of --path, --wildcard, --extension, --threat, "
                                "--process",
                                "indique exactamente una de --path, --wildcard, --extension, "
                                "--threat, --process"}));
        return std::nullopt;
    }
    return rule;
}

Exit told(const Context& context, const Result<Reply>& reply, const Text& done) {
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    const auto body = json::parse(reply->body, nullptr, false);
    if (context.json || !body.is_object()) {
        fmt::print("{}", reply->body);
        return Exit::Fine;
    }
    for (const auto& difference : body.value("differences", json::array())) {
        fmt::print("  {}\n", harmless(difference.get<std::string>()));
    }
    fmt::print("{} ({})\n", context.say(done), printable_member(body, "file"));
    return Exit::Fine;
}

// Bytes that are no UTF-8 travel as they are.
void put(json& body, const std::string& key, const std::string& value) {
    if (value.empty()) {
        return;
    }
    if (is_valid_utf8(value)) {
        body[key] = value;
    } else {
        body[key + "_base64"] = base64(value);
    }
}

Exit add(const Context& context, const Change& change) {
    const auto rule = rule_of(context, change);
    if (!rule) {
        return Exit::Usage;
    }
    json body{{"kind", rule->first}, {"children", change.children}};
    put(body, "set", change.set);
    put(body, "value", rule->second);
    put(body, "user", change.user);
    put(body, "reason", change.reason);
    put(body, "expires", change.expires);
    return told(
        context, context.client().post("/v1/exclusions", body.dump()), {"in force", "en vigor"});
}

Exit remove(const Context& context, const Change& change) {
    const auto rule = rule_of(context, change);
    if (!rule) {
        return Exit::Usage;
    }
    return told(context,
                context.client().remove(
                    fmt::format("/v1/exclusions?set={}&kind={}&value={}&user={}&children={}",
                                url_encode(change.set),
                                rule->first,
                                url_encode(rule->second),
                                url_encode(change.user),
                                change.children ? 1 : 0)),
                {"removed", "quitada"});
}

std::vector<Option> rule_options(Change& change) {
    return {{.name = "--path",
             .value = "PATH",
             .help = {"a folder and everything below, or a file",
                      "una carpeta y todo lo que contiene, o un archivo"},
             .completion = Completion::File,
             .into = &change.path},
            {.name = "--wildcard",
             .value = "PATTERN",
             .help = {"paths: * within a name, ** across folders",
                      "rutas: * dentro de un nombre, ** entre carpetas"},
             .into = &change.wildcard},
            {.name = "--extension",
             .value = "EXTENSION",
             .help = {"names that end so, such as iso", "nombres que acaban así, como iso"},
             .into = &change.extension},
            {.name = "--threat",
             .value = "NAME",
             .help = {"this threat is reported and left", "esta amenaza se notifica y se deja"},
             .into = &change.threat},
            {.name = "--process",
             .value = "EXE",
             .help = {"what this program does", "lo que hace este programa"},
             .completion = Completion::File,
             .into = &change.process},
            {.name = "--user",
             .value = "USER",
             .help = {"of a process: only if run by this user",
                      "de un proceso: solo si lo ejecuta este usuario"},
             .into = &change.user},
            {.name = "--children",
             .help = {"of a process: and what it starts", "de un proceso: y lo que inicie"},
             .into = &change.children}};
}

Verb test_verb() {
    auto asked = std::make_shared<Tested>();
    return {
        .name = "test",
        .help = {"which rule leaves a path out, and why", "qué regla omite una ruta, y por qué"},
        .options = {{.name = "--process",
                     .value = "EXE",
                     .help = {"written by this program", "escrita por este programa"},
                     .completion = Completion::File,
                     .into = &asked->process},
                    {.name = "--user",
                     .value = "USER",
                     .help = {"run by this user", "ejecutado por este usuario"},
                     .into = &asked->user}},
        .positions = {{.name = "PATH",
                       .help = {"file or folder", "archivo o carpeta"},
                       .completion = Completion::File,
                       .into = &asked->path}},
        .action = [asked](const Context& context) { return test(context, *asked); }};
}

}  // namespace

Verb exclusions_verb() {
    auto adding = std::make_shared<Change>();
    auto removing = std::make_shared<Change>();
    const auto set = [](Change& change) {
        return Position{.name = "SET",
                        .help = {"name of the set of rules", "nombre del conjunto de reglas"},
                        .into = &change.set};
    };
    auto add_options = rule_options(*adding);
    add_options.push_back(
        {.name = "--reason",
         .value = "TEXT",
         .help = {"why; a new set needs one", "por qué; un conjunto nuevo lo necesita"},
         .into = &adding->reason});
    add_options.push_back({.name = "--expires",
                           .value = "DATE",
                           .help = {"in force until this day begins (2027-01-31)",
                                    "en vigor hasta que empiece ese día (2027-01-31)"},
                           .into = &adding->expires});
    return {
        .name = "exclusions",
        .help = {"what is left out, and what leaving out would help",
                 "qué se omite, y qué convendría omitir"},
        .verbs = {{.name = "list",
                   .help = {"every rule and what it has left out since the start",
                            "cada regla y lo que ha omitido desde el inicio"},
                   .action = list},
                  test_verb(),
                  {.name = "suggest",
                   .help = {"the rules that would take most load away, as commands",
                            "las reglas que quitarían más carga, como órdenes"},
                   .action = suggest},
                  {.name = "add",
                   .help = {"put a rule into the policy file and in force (root)",
                            "pone una regla en el archivo de política y en vigor (root)"},
                   .options = std::move(add_options),
                   .positions = {set(*adding)},
                   .action = [adding](const Context& context) { return add(context, *adding); }},
                  {.name = "remove",
                   .help = {"take a rule out of the policy file (root)",
                            "quita una regla del archivo de política (root)"},
                   .options = rule_options(*removing),
                   .positions = {set(*removing)},
                   .action =
                       [removing](const Context& context) { return remove(context, *removing); }}},
        .action = list};
}

}  // namespace vigia::cli
