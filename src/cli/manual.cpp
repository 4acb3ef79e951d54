// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/manual.h"

#include <fmt/format.h>

#include "cli/help.h"

namespace vigia::cli {
namespace {

// Text as roff shows it: a backslash would begin a request, and a dash may be copied to a shell.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else if (out.empty() && (c == '.' || c == '\'')) {
            out += "\\&";
            out += c;
        } else {
            out += c;
        }
    }
    return out;
}

class Manual {
public:
    explicit Manual(Language language) : language_(language) {}

    void section(const Text& title) { text_ += fmt::format(".SH {}\n", title.in(language_)); }

    void paragraph(const Text& text) {
        text_ += fmt::format(".PP\n{}\n", roff(text.in(language_)));
    }

    void item(std::string_view term, std::string_view help) {
        text_ += fmt::format(".TP\n.B {}\n{}\n", roff(term), roff(help));
    }

    void entry(std::string_view term, const Text& help) { item(term, help.in(language_)); }

    void options(const Verb& verb) {
        for (const auto& option : verb.options) {
            item(synopsis(option), explanation(option, language_));
        }
    }

    // The verb at the end of the path, then those below it.
    void verb(const Path& path) {
        const auto& last = *path.back();
        text_ += fmt::format(
            ".SS {}\n{}\n", roff(usage(path, language_)), roff(last.help.in(language_)));
        for (const auto& position : last.positions) {
            entry(position.name, position.help);
        }
        options(last);
        for (const auto& below : last.verbs) {
            if (!below.hidden) {
                auto longer = path;
                longer.push_back(&below);
                verb(longer);
            }
        }
    }

    void head(const Verb& program) {
        text_ += fmt::format(".TH VIGIA 1 \"\" \"vigia {}\" \"{}\"\n",
                             VIGIA_VERSION,
                             Text{"User Commands", "Órdenes de usuario"}.in(language_));
        section({"NAME", "NOMBRE"});
        text_ += fmt::format("vigia \\- {}\n", roff(program.help.in(language_)));
        section({"SYNOPSIS", "SINOPSIS"});
        text_ += fmt::format("{}\n", roff(usage({&program}, language_)));
    }

    void tail();

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    Language language_;
    std::string text_;
};

// What is not in the tree.
void Manual::tail() {
    section({"EXIT STATUS", "ESTADO DE SALIDA"});
    entry("0", {"fine", "bien"});
    entry("1", {"the answer is no, or there are findings", "la respuesta es no, o hay hallazgos"});
    entry("2", {"the command line is wrong", "la línea de órdenes es errónea"});
    entry("3", {"the daemon cannot be reached", "no se puede contactar con el demonio"});
    entry("4", {"not permitted", "no permitido"});
    section({"ENVIRONMENT", "ENTORNO"});
    entry("LC_ALL, LC_MESSAGES, LANG",
          {"the language of texts, unless --lang says it",
           "el idioma de los textos, salvo que lo indique --lang"});
    entry("NO_COLOR",
          {"when set: no colours on a terminal", "si existe: sin colores en el terminal"});
    section({"FILES", "FICHEROS"});
    entry("/etc/vigia/policy.toml", {"the policy", "la política"});
    entry("/run/vigia/status.sock",
          {"answers whoever may connect; others than root and the group adm see less",
           "responde a quien pueda conectarse; salvo root y el grupo adm, se ve menos"});
    entry("/run/vigia/control.sock", {"changes; root only", "cambios; solo root"});
    section({"SEE ALSO", "VÉASE TAMBIÉN"});
    text_ += ".BR vigiad (8)\n";
}

}  // namespace

std::string manual(const Verb& program, Language language) {
    Manual page(language);
    page.head(program);
    page.section({"DESCRIPTION", "DESCRIPCIÓN"});
    page.paragraph(
        {"vigia is a client of the daemon vigiad: it shows what the daemon sees and does "
         "and asks it for changes. What only reads needs no root.",
         "vigia es un cliente del demonio vigiad: muestra lo que este ve y hace, y le "
         "pide cambios. Lo que solo lee no necesita root."});
    page.section({"OPTIONS OF EVERY VERB", "OPCIONES DE TODOS LOS VERBOS"});
    page.options(program);
    page.section({"VERBS", "VERBOS"});
    for (const auto& verb : program.verbs) {
        if (!verb.hidden) {
            page.verb({&program, &verb});
        }
    }
    page.tail();
    return page.take();
}

}  // namespace vigia::cli
