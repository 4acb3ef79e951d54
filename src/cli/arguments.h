// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/context.h"

// The command line as a value: a tree of verbs, each with its options and arguments. Parsing, help,
// the manual page and shell completion all read the same tree, so that they cannot disagree.
//
// What is given on the command line is written through the `into` pointers. They point into an
// object that the verb's action keeps alive (a shared_ptr it captures), or that outlives the tree.
namespace vigia::cli {

// What the chosen verb does.
using Action = std::function<Exit(const Context&)>;

// What a shell may offer for a value.
enum class Completion : std::uint8_t { Nothing, File, Folder };

// Accepted by the verb that declares it and by every verb below, before and after their names.
struct Option {
    std::string_view name;        // "--since"
    char letter = '\0';           // 'f' for -f; none otherwise
    std::string_view value = {};  // what help calls its value; empty for a flag
    Text help = {};
    std::vector<std::string_view> choices = {};  // the only values allowed; empty: any
    std::uint32_t least = 0;                     // of a number
    std::uint32_t most = UINT32_MAX;
    Completion completion = Completion::Nothing;
    // A flag; a text, given at most once; a number, likewise; texts, given any number of times.
    std::variant<bool*, std::string*, std::uint32_t*, std::vector<std::string>*> into = {};

    [[nodiscard]] bool is_flag() const { return std::holds_alternative<bool*>(into); }
};

// An argument without a name. One that takes a list takes all that follow; it stands last.
struct Position {
    std::string_view name;  // "ID"
    Text help = {};
    bool required = true;
    Completion completion = Completion::Nothing;
    std::variant<std::string*, std::vector<std::string>*> into = {};

    [[nodiscard]] bool is_list() const {
        return std::holds_alternative<std::vector<std::string>*>(into);
    }
};

// One with verbs below and an action runs the action when none of them is named (`vigia faults` is
// `vigia faults list`); one without an action asks for a verb below.
struct Verb {
    std::string_view name;
    Text help = {};
    std::vector<Option> options = {};
    std::vector<Position> positions = {};
    std::vector<Verb> verbs = {};
    Action action = {};
    bool hidden = false;  // for the build only: not in help, manual and completion
};

// The verbs from the program down to the one that was chosen; never empty.
using Path = std::vector<const Verb*>;

struct Parsed {
    Path path = {};
    std::string missing = {};  // what the verb still needs, as an error; --help does without it
};

struct Refusal {
    std::string problem;  // one line for people, beginning with the verb it speaks of
    Path path;            // to that verb
};

// `arguments` without the program's name. Errors are in `language` ("vigia quarantine: …").
[[nodiscard]] std::expected<Parsed, Refusal> parse(const Verb& program,
                                                   std::span<const std::string> arguments,
                                                   Language language);

// "vigia quarantine restore"
[[nodiscard]] std::string name_of(const Path& path);

// One of the verb's own verbs, and one of the options it accepts (its own or from above).
[[nodiscard]] const Verb* find_verb(const Verb& in, std::string_view name);
[[nodiscard]] const Option* find_option(const Path& path, std::string_view name);

// "; did you mean 'x'?" when one of the names is near, else nothing.
[[nodiscard]] std::string suggestion(std::string_view given,
                                     std::span<const std::string_view> names,
                                     Language language);

}  // namespace vigia::cli
