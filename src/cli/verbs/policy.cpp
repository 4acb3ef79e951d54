// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "policy/policy_file.h"

namespace vigia::cli {
namespace {

using nlohmann::json;

constexpr long kOk = 200;
constexpr std::size_t kMaxPolicy = std::size_t{8} << 20U;

json problem_json(const policy::Problem& problem) {
    return {{"file", utf8_lossy(problem.file)},
            {"line", problem.line},
            {"column", problem.column},
            {"key", utf8_lossy(problem.key)},
            {"message", utf8_lossy(problem.message)},
            {"suggestion", utf8_lossy(problem.suggestion)}};
}

std::expected<std::shared_ptr<const Policy>, Exit> load(const Context& context,
                                                        const std::string& file) {
    const auto text = read_file(file, kMaxPolicy);
    if (!text) {
        fmt::print(stderr, "vigia: {}\n", text.error().message());
        return std::unexpected(Exit::Usage);
    }
    auto parsed = policy::parse(*text, file);
    if (parsed) {
        return *parsed;
    }
    if (context.json) {
        json problems = json::array();
        for (const auto& problem : parsed.error()) {
            problems.push_back(problem_json(problem));
        }
        fmt::print("{}\n", json{{"valid", false}, {"problems", problems}}.dump());
    } else {
        for (const auto& problem : parsed.error()) {
            fmt::print("{}\n", problem.text());
        }
    }
    return std::unexpected(Exit::No);
}

Exit check(const Context& context, const std::string& file) {
    const auto policy = load(context, file);
    if (!policy) {
        return policy.error();
    }
    if (context.json) {
        fmt::print("{}\n", json{{"valid", true}, {"problems", json::array()}}.dump());
    } else {
        fmt::print("{}: {}\n", printable(file), context.say({"no problem found", "sin problemas"}));
    }
    return Exit::Fine;
}

Exit show(const Context& context) {
    const auto reply = context.client().get(context.json ? "/v1/policy" : "/v1/policy?format=toml");
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    fmt::print("{}", reply->body);
    return Exit::Fine;
}

Exit reload(const Context& context) {
    constexpr long kInvalid = 422;
    const auto reply = context.client().post("/v1/policy/reload", "");
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk && reply->status != kInvalid) {
        return report_refusal(context, *reply);
    }
    if (context.json) {
        fmt::print("{}", reply->body);
        return reply->status == kOk ? Exit::Fine : Exit::No;
    }
    const auto body = json::parse(reply->body, nullptr, false);
    for (const auto& problem : body.at("problems")) {
        const policy::Problem told{.file = problem.value("file", ""),
                                   .line = problem.value("line", 0U),
                                   .column = problem.value("column", 0U),
                                   .key = problem.value("key", ""),
                                   .message = problem.value("message", "")};
        fmt::print("{}\n", harmless(told.text()));
    }
    for (const auto& difference : body.at("differences")) {
        fmt::print("  {}\n", harmless(difference.get<std::string>()));
    }
    fmt::print("{}\n",
               reply->status == kOk
                   ? context.say({"policy in force", "política en vigor"})
                   : context.say({"refused; the last good policy stays in force",
                                  "rechazada; sigue en vigor la última política válida"}));
    return reply->status == kOk ? Exit::Fine : Exit::No;
}

Exit diff(const Context& context, const std::string& file) {
    const auto wanted = load(context, file);
    if (!wanted) {
        return wanted.error();
    }
    const auto reply = context.client().get("/v1/policy?format=toml");
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    const auto running = policy::parse(reply->body, "policy in force");
    if (!running) {
        fmt::print(stderr, "vigia: {}\n", running.error().front().text());
        return Exit::NotReachable;
    }
    const auto differences = policy::difference(**running, **wanted);
    if (context.json) {
        fmt::print("{}\n", json{{"differences", differences}}.dump());
    } else {
        for (const auto& difference : differences) {
            fmt::print("{}\n", harmless(difference));
        }
    }
    return differences.empty() ? Exit::Fine : Exit::No;
}

}  // namespace

Verb policy_verb() {
    auto file = std::make_shared<std::string>();
    const Position which{.name = "FILE",
                         .help = {"policy file", "archivo de política"},
                         .completion = Completion::File,
                         .into = file.get()};
    return {
        .name = "policy",
        .help = {"show, check, reload, compare", "mostrar, comprobar, recargar, comparar"},
        .verbs = {{.name = "show",
                   .help = {"the policy in force", "la política en vigor"},
                   .action = show},
                  {.name = "check",
                   .help = {"every mistake in a file (needs no daemon)",
                            "todos los errores de un archivo (no necesita el demonio)"},
                   .positions = {which},
                   .action = [file](const Context& context) { return check(context, *file); }},
                  {.name = "reload",
                   .help = {"read the policy file again", "vuelve a leer el archivo de política"},
                   .action = reload},
                  {.name = "diff",
                   .help = {"what a file would change", "qué cambiaría un archivo"},
                   .positions = {which},
                   .action = [file](const Context& context) { return diff(context, *file); }}}};
}

}  // namespace vigia::cli
