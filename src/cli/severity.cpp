// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/severity.h"

namespace vigia::cli {

std::string_view severity_text(std::string_view word, Language language) {
    const Text text = word == "critical" ? Text{.en = "critical", .es = "crítico"}
                      : word == "major"  ? Text{.en = "major", .es = "grave"}
                                         : Text{.en = "minor", .es = "leve"};
    return text.in(language);
}

Tone tone_of_severity(std::string_view word) {
    return word == "minor" ? Tone::Warning : Tone::Bad;
}

}  // namespace vigia::cli
