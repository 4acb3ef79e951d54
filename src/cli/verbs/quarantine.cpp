// SPDX-License-Identifier: GPL-2.0-or-later
#include <CLI/CLI.hpp>
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

void add_quarantine(CLI::App& app, Action& action) {
    auto* verb = app.add_subcommand("quarantine", "what was put away: list, show, restore, delete");
    verb->require_subcommand(1);
    verb->fallthrough();
    auto id = std::make_shared<std::string>();
    auto to = std::make_shared<std::string>();
    verb->add_subcommand("list", "everything in quarantine")->callback([&action] {
        action = list;
    });
    auto* show_verb = verb->add_subcommand("show", "one item with all that is kept of it");
    show_verb->add_option("ID", *id, "from quarantine list")->required();
    show_verb->callback(
        [&action, id] { action = [id](const Context& context) { return show(context, *id); }; });
    auto* restore_verb =
        verb->add_subcommand("restore", "bring it back: content, owner, mode, times, attributes");
    restore_verb->add_option("ID", *id, "from quarantine list")->required();
    restore_verb->add_option("--to", *to, "to another name")->type_name("PATH");
    restore_verb->callback([&action, id, to] {
        action = [id, to](const Context& context) { return restore(context, *id, *to); };
    });
    auto* delete_verb = verb->add_subcommand("delete", "destroy it for good");
    delete_verb->add_option("ID", *id, "from quarantine list")->required();
    delete_verb->callback(
        [&action, id] { action = [id](const Context& context) { return erase(context, *id); }; });
}

}  // namespace vigia::cli
