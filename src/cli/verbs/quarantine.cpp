// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

using nlohmann::json;

constexpr long kOk = 200;

Exit list(const Context& context) {
    auto exit = Exit::Fine;
    const auto items = fetch(context, "/v1/quarantine", exit);
    if (!items) {
        return exit;
    }
    if (context.json) {
        fmt::print("{}\n", items->dump());
        return Exit::Fine;
    }
    for (const auto& item : items->at("items")) {
        fmt::print("{}  {}  {:>10}  {}  {}\n",
                   printable_member(item, "id"),
                   local_time(item.value("quarantined_at", "")),
                   bytes_text(item.value("size", std::uint64_t{0})),
                   printable_member(item, "detection"),
                   printable_member(item, "path"));
    }
    if (items->at("items").empty()) {
        fmt::print("{}\n", context.say({"quarantine is empty", "la cuarentena está vacía"}));
    }
    return Exit::Fine;
}

Exit show(const Context& context, const std::string& id) {
    auto exit = Exit::Fine;
    const auto item = fetch(context, "/v1/quarantine/" + url_encode(id), exit);
    if (!item) {
        return exit;
    }
    if (context.json) {
        fmt::print("{}\n", item->dump());
        return Exit::Fine;
    }
    for (const auto& [key, value] : item->items()) {
        fmt::print("  {:<16} {}\n",
                   printable(key),
                   printable(value.is_string() ? value.get<std::string>() : value.dump()));
    }
    return Exit::Fine;
}

Exit told(const Context& context, const Result<Reply>& reply, const Text& done) {
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    if (context.json) {
        fmt::print("{}", reply->body);
    } else {
        const auto body = json::parse(reply->body, nullptr, false);
        fmt::print("{} {}\n", context.say(done), printable_member(body, "restored_to"));
    }
    return Exit::Fine;
}

Exit restore(const Context& context, const std::string& id, const std::string& to) {
    json body = json::object();
    if (!to.empty()) {
        const auto absolute = std::filesystem::absolute(to).lexically_normal().native();
        body[is_valid_utf8(absolute) ? "to" : "to_base64"] =
            is_valid_utf8(absolute) ? absolute : base64(absolute);
    }
    const auto reply =
        context.client().post("/v1/quarantine/" + url_encode(id) + "/restore", body.dump());
    return told(context, reply, {"restored to", "restaurado en"});
}

Exit erase(const Context& context, const std::string& id) {
    const auto reply = context.client().remove("/v1/quarantine/" + url_encode(id));
    return told(context, reply, {"deleted", "eliminado"});
}

}  // namespace

Verb quarantine_verb() {
    struct Asked {
        std::string id;
        std::string to;
    };

    auto asked = std::make_shared<Asked>();
    const Position which{.name = "ID",
                         .help = {"from quarantine list", "según quarantine list"},
                         .into = &asked->id};
    return {.name = "quarantine",
            .help = {"what was put away: list, show, restore, delete",
                     "lo que se ha apartado: listar, mostrar, restaurar, eliminar"},
            .verbs = {
                {.name = "list",
                 .help = {"everything in quarantine", "todo lo que hay en cuarentena"},
                 .action = list},
                {.name = "show",
                 .help = {"one item with all that is kept of it",
                          "un elemento con todo lo que se guarda de él"},
                 .positions = {which},
                 .action = [asked](const Context& context) { return show(context, asked->id); }},
                {.name = "restore",
                 .help = {"bring it back: content, owner, mode, times, attributes",
                          "lo devuelve: contenido, dueño, permisos, fechas, atributos"},
                 .options = {{.name = "--to",
                              .value = "PATH",
                              .help = {"to another name", "con otro nombre"},
                              .completion = Completion::File,
                              .into = &asked->to}},
                 .positions = {which},
                 .action =
                     [asked](const Context& context) {
                         return restore(context, asked->id, asked->to);
                     }},
                {.name = "delete",
                 .help = {"destroy it for good", "lo destruye definitivamente"},
                 .positions = {which},
                 .action = [asked](const Context& context) { return erase(context, asked->id); }}}};
}

}  // namespace vigia::cli
