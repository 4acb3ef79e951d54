// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/fault_pages.h"

#include <fmt/format.h>

#include <string_view>

#include "cli/severity.h"
#include "health/catalogue.h"
#include "health/repairs.h"
#include "wire/fault_json.h"

namespace vigia::cli {
namespace {

constexpr Text kIntroduction{
    .en =
        "What `vigiad` raises when something is not as it should be. `vigia faults` shows what "
        "is raised now, with what was measured; `vigia faults explain ID` shows the same as this "
        "page. A word in braces, {path}, stands for what is measured on the host: it is a member "
        "of the fault's `evidence`, and a step that names something that was not found is left "
        "out.",
    .es =
        "Lo que notifica `vigiad` cuando algo no está como debe. `vigia faults` muestra los "
        "fallos activos, con lo medido; `vigia faults explain ID` muestra lo mismo que esta "
        "página. Una palabra entre llaves, {path}, representa lo que se mide en el equipo: es un "
        "miembro de `evidence` del fallo, y se omite el paso que nombra algo que no se encontró."};

// A text as Markdown shows it letter by letter.
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '`' || c == '*' || c == '<') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

class Pages {
public:
    explicit Pages(Language language) : language_(language) {}

    void introduction() {
        const auto tongue = say({.en = "en", .es = "es"});
        text_ += fmt::format("<!-- {}: vigia generate faults --lang {} > docs/FAULTS.{}.md -->\n",
                             say({.en = "Generated", .es = "Generado"}),
                             tongue,
                             tongue);
        text_ += fmt::format(
            "# {}\n\n{}\n\n", say({.en = "Faults", .es = "Fallos"}), kIntroduction.in(language_));
        text_ += say({.en = "| id | key | usually | fault |\n|---|---|---|---|\n",
                      .es = "| id | clave | normalmente | fallo |\n|---|---|---|---|\n"});
        for (const auto* fault : health::catalogue()) {
            text_ += fmt::format("| {} | [`{}`](#fault-{}) | {} | {} |\n",
                                 fault->id,
                                 fault->key,
                                 fault->id,
                                 severity_text(wire::severity_word(fault->severity), language_),
                                 plain(fault->title.in(language_)));
        }
    }

    void add(const health::Fault& fault) {
        text_ += fmt::format("\n<a id=\"fault-{}\"></a>\n\n## {} · {}\n\n`{}` · {} · {}\n\n{}\n",
                             fault.id,
                             fault.id,
                             plain(fault.title.in(language_)),
                             fault.key,
                             severity_text(wire::severity_word(fault.severity), language_),
                             gate(fault),
                             plain(fault.summary.in(language_)));
        for (const auto& cause : fault.causes) {
            add(cause);
        }
    }

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    [[nodiscard]] std::string_view say(const Text& text) const { return text.in(language_); }

    [[nodiscard]] std::string gate(const health::Fault& fault) const {
        return fault.gate.empty() ? std::string(say({.en = "whatever policy says",
                                                     .es = "con cualquier política"}))
                                  : fmt::format("{} `{}`",
                                                say({.en = "only while policy asks for",
                                                     .es = "solo mientras la política pide"}),
                                                fault.gate);
    }

    void add(const health::Cause& cause) {
        text_ += fmt::format("\n### `{}`\n\n{}\n\n**{}** {}\n\n",
                             cause.word,
                             plain(cause.description.in(language_)),
                             say({.en = "Lost, and what still works:",
                                  .es = "Lo que se pierde y lo que sigue funcionando:"}),
                             plain(cause.lost.in(language_)));
        int number = 0;
        for (const auto& step : cause.remedy) {
            text_ += fmt::format("{}. {}\n", ++number, plain(step.text.in(language_)));
            if (!step.command.empty()) {
                text_ += fmt::format("\n   ```sh\n   {}\n   ```\n\n", step.command);
            }
        }
        repair(cause.heal);
    }

    void repair(const health::HealPlan& plan) {
        if (!text_.ends_with("\n\n")) {
            text_ += '\n';
        }
        if (plan.action == health::Heal::None) {
            text_ += fmt::format("{}\n",
                                 say({.en = "There is no automatic repair.",
                                      .es = "No hay reparación automática."}));
            return;
        }
        const std::chrono::duration<double> pause = plan.backoff;
        text_ += fmt::format(fmt::runtime(say({.en = "**Repairs itself:** {} (`{}`; at most {} "
                                                     "attempts in an episode, the first pause "
                                                     "{:g} s, doubling).\n",
                                               .es = "**Se repara solo:** {} (`{}`; como máximo {} "
                                                     "intentos por episodio, primera pausa {:g} s, "
                                                     "que se duplica).\n"})),
                             plain(health::describe(plan.action).in(language_)),
                             health::name_of(plan.action),
                             plan.attempts,
                             pause.count());
    }

    Language language_;
    std::string text_;
};

}  // namespace

std::string fault_pages(Language language) {
    Pages pages(language);
    pages.introduction();
    for (const auto* fault : health::catalogue()) {
        pages.add(*fault);
    }
    return pages.take();
}

}  // namespace vigia::cli
