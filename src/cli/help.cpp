// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace vigia::cli {
namespace {

constexpr std::size_t kNameWidth = 22;

void add_row(std::string& text, std::string_view name, std::string_view help) {
    text += fmt::format("  {} {}\n", padded(name, kNameWidth), help);
}

void add_options(std::string& text, const Verb& verb, const Text& title, Language language) {
    if (verb.options.empty()) {
        return;
    }
    text += fmt::format("\n{}\n", title.in(language));
    for (const auto& option : verb.options) {
        add_row(text, synopsis(option), explanation(option, language));
    }
}

}  // namespace

std::string synopsis(const Option& option) {
    std::string text;
    if (option.letter != '\0') {
        text = fmt::format("-{}, ", option.letter);
    }
    text += option.name;
    if (!option.is_flag()) {
        text += fmt::format(" {}", option.value);
    }
    return text;
}

std::string synopsis(const Position& position) {
    const auto name = std::string(position.name) + (position.is_list() ? "…" : "");
    return position.required ? name : "[" + name + "]";
}

std::string explanation(const Option& option, Language language) {
    std::string text(option.help.in(language));
    if (!option.choices.empty()) {
        text += fmt::format(": {}", fmt::join(option.choices, ", "));
    }
    if (std::holds_alternative<std::uint32_t*>(option.into) && option.most != UINT32_MAX) {
        text += fmt::format(" ({}–{})", option.least, option.most);
    }
    return text;
}

std::string usage(const Path& path, Language language) {
    const auto& verb = *path.back();
    auto text = name_of(path);
    if (!verb.verbs.empty()) {
        const auto* name = language == Language::Spanish ? "VERBO" : "VERB";
        text += verb.action ? fmt::format(" [{}]", name) : fmt::format(" {}", name);
    }
    for (const auto& position : verb.positions) {
        text += " " + synopsis(position);
    }
    return text + Text{" [OPTION]…", " [OPCIÓN]…"}.in(language).data();
}

std::string help_text(const Path& path, Language language) {
    const auto& verb = *path.back();
    auto text = fmt::format("{}: {}\n\n  {}\n",
                            Text{"Usage", "Uso"}.in(language),
                            usage(path, language),
                            verb.help.in(language));
    if (!verb.positions.empty()) {
        text += "\n";
        for (const auto& position : verb.positions) {
            add_row(text, position.name, position.help.in(language));
        }
    }
    if (!verb.verbs.empty()) {
        text += fmt::format("\n{}\n", Text{"Verbs:", "Verbos:"}.in(language));
        for (const auto& below : verb.verbs) {
            if (!below.hidden) {
                add_row(text, below.name, below.help.in(language));
            }
        }
    }
    if (path.size() > 1) {
        add_options(text, verb, {"Options:", "Opciones:"}, language);
    }
    for (std::size_t at = path.size() - 1; at-- > 1;) {
        add_options(text, *path[at], {"Options from above:", "Opciones heredadas:"}, language);
    }
    add_options(
        text, *path.front(), {"Options of every verb:", "Opciones de todos los verbos:"}, language);
    return text;
}

}  // namespace vigia::cli
