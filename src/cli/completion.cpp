// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"

// All three scripts follow the words before the cursor in the same way: `chain` becomes the verbs
// named so far ("/quarantine/restore"), and "CHAIN:--option" says what an option means there.
namespace vigia::cli {
namespace {

std::string chain_of(const Path& path) {
    std::string chain;
    for (std::size_t at = 1; at < path.size(); ++at) {
        chain += "/" + std::string(path[at]->name);
    }
    return chain;
}

void gather(const Path& path, std::vector<Path>& all) {
    all.push_back(path);
    for (const auto& below : path.back()->verbs) {
        if (!below.hidden) {
            auto longer = path;
            longer.push_back(&below);
            gather(longer, all);
        }
    }
}

// The program itself first.
std::vector<Path> paths_of(const Verb& program) {
    std::vector<Path> all;
    gather({&program}, all);
    return all;
}

std::string shell_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

// In fish a backslash quotes inside single quotes.
std::string fish_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        out += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    }
    return out + "'";
}

// Shell patterns of "CHAIN:WORD" for an option of the verb at the end of the path.
std::vector<std::string> patterns_of(const Path& path, const Option& option) {
    std::vector<std::string> words{std::string(option.name)};
    if (option.letter != '\0') {
        words.push_back({'-', option.letter});
    }
    std::vector<std::string> patterns;
    for (const auto& word : words) {
        if (path.size() == 1) {
            patterns.push_back("*:" + word);
            continue;
        }
        patterns.push_back(chain_of(path) + ":" + word);
        if (!path.back()->verbs.empty()) {
            patterns.push_back(chain_of(path) + "/*:" + word);
        }
    }
    return patterns;
}

std::string pattern_of_values(const Verb& program) {
    std::vector<std::string> all;
    for (const auto& path : paths_of(program)) {
        for (const auto& option : path.back()->options) {
            if (!option.is_flag()) {
                std::ranges::copy(patterns_of(path, option), std::back_inserter(all));
            }
        }
    }
    return fmt::format("{}", fmt::join(all, " | "));
}

std::string pattern_of_verbs(const Verb& program) {
    std::vector<std::string> all;
    for (const auto& path : paths_of(program)) {
        if (path.size() > 1) {
            all.push_back(chain_of(path));
        }
    }
    return fmt::format("{}", fmt::join(all, " | "));
}

// Every option that is accepted there.
std::vector<const Option*> options_at(const Path& path) {
    std::vector<const Option*> all;
    for (const auto* verb : path) {
        for (const auto& option : verb->options) {
            all.push_back(&option);
        }
    }
    return all;
}

bool takes_files(const Verb& verb) {
    return std::ranges::any_of(verb.positions, [](const Position& position) {
        return position.completion != Completion::Nothing;
    });
}

// The names of the options, and of the verbs below.
std::vector<std::string_view> option_names(const Path& path) {
    std::vector<std::string_view> names;
    for (const auto* option : options_at(path)) {
        names.push_back(option->name);
    }
    return names;
}

std::vector<std::string_view> verb_names(const Verb& verb) {
    std::vector<std::string_view> names;
    for (const auto& below : verb.verbs) {
        if (!below.hidden) {
            names.push_back(below.name);
        }
    }
    return names;
}

struct Commands {
    std::string_view words;  // offers {}
    std::string_view files;
    std::string_view folders;
};

// Lines "PATTERN) what to offer ;;" for the values of options.
std::string value_cases(const Verb& program, const Commands& commands) {
    std::string text;
    for (const auto& path : paths_of(program)) {
        for (const auto& option : path.back()->options) {
            std::string offer;
            if (!option.choices.empty()) {
                offer = fmt::format(fmt::runtime(commands.words), fmt::join(option.choices, " "));
            } else if (option.completion == Completion::File) {
                offer = commands.files;
            } else if (option.completion == Completion::Folder) {
                offer = commands.folders;
            } else {
                continue;
            }
            text += fmt::format(
                "        {}) {} ;;\n", fmt::join(patterns_of(path, option), " | "), offer);
        }
    }
    return text;
}

std::string zsh_described(std::string_view name, const Text& help, Language language) {
    return shell_quoted(fmt::format("{}:{}", name, help.in(language)));
}

}  // namespace

std::string bash_completion(const Verb& program) {
    std::string cases;
    for (const auto& path : paths_of(program)) {
        cases += fmt::format("        {}) verbs='{}' options='{}' files={} ;;\n",
                             shell_quoted(chain_of(path)),
                             fmt::join(verb_names(*path.back()), " "),
                             fmt::join(option_names(path), " "),
                             takes_files(*path.back()) ? 1 : 0);
    }
    return fmt::format(
        R"(# bash completion of {0}; made by the program itself
_{0}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} chain='' expects='' given at verbs options files
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        given=${{COMP_WORDS[at]}}
        [[ $given != '=' ]] || continue
        if [[ -n $expects ]]; then
            expects=''
            continue
        fi
        case $chain:$given in
            {1}) expects=$given && continue ;;
        esac
        case $chain/$given in
            {2}) chain+=/$given ;;
        esac
    done
    [[ $word != '=' ]] || word=''
    if [[ -n $expects ]]; then
        case $chain:$expects in
{3}        esac
        return 0
    fi
    case $chain in
{4}    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return 0
    fi
    mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
    if ((files)); then
        compopt -o filenames 2>/dev/null
        mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$word")
    fi
    return 0
}}
complete -F _{0} {0}
)",
        program.name,
        pattern_of_values(program),
        pattern_of_verbs(program),
        value_cases(program,
                    {.words = "mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\")",
                     .files = "compopt -o filenames 2>/dev/null; mapfile -t "
                              "COMPREPLY < <(compgen -f -- \"$word\")",
                     .folders = "compopt -o filenames 2>/dev/null; mapfile -t "
                                "COMPREPLY < <(compgen -d -- \"$word\")"}),
        cases);
}

std::string zsh_completion(const Verb& program, Language language) {
    std::string cases;
    for (const auto& path : paths_of(program)) {
        std::vector<std::string> verbs;
        for (const auto& below : path.back()->verbs) {
            if (!below.hidden) {
                verbs.push_back(zsh_described(below.name, below.help, language));
            }
        }
        std::vector<std::string> options;
        for (const auto* option : options_at(path)) {
            options.push_back(zsh_described(option->name, option->help, language));
        }
        cases +=
            fmt::format("    {})\n        verbs=({})\n        options=({})\n        files={} ;;\n",
                        shell_quoted(chain_of(path)),
                        fmt::join(verbs, " "),
                        fmt::join(options, " "),
                        takes_files(*path.back()) ? 1 : 0);
    }
    return fmt::format(
        R"(#compdef {0}
# Made by the program itself.
local word=$words[CURRENT] chain='' expects='' given at files=0
local -a verbs options
for ((at = 2; at < CURRENT; at++)); do
    given=$words[at]
    if [[ -n $expects ]]; then
        expects=''
        continue
    fi
    case $chain:$given in
        ({1}) expects=$given; continue ;;
    esac
    case $chain/$given in
        ({2}) chain+=/$given ;;
    esac
done
if [[ -n $expects ]]; then
    case $chain:$expects in
{3}    esac
    return
fi
case $chain in
{4}esac
if [[ $word == -* ]]; then
    _describe -o option options
    return
fi
(( ! $#verbs )) || _describe verb verbs
(( ! files )) || _files
)",
        program.name,
        pattern_of_values(program),
        pattern_of_verbs(program),
        value_cases(program, {.words = "compadd -- {}", .files = "_files", .folders = "_files -/"}),
        cases);
}

namespace {

std::string fish_options(const Verb& program, const Path& path, Language language) {
    std::string text;
    for (const auto& option : path.back()->options) {
        text += fmt::format("complete -c {}", program.name);
        if (path.size() > 1) {
            text += fmt::format(" -n '__{}_below {}'", program.name, chain_of(path));
        }
        text += fmt::format(" -l {}", option.name.substr(2));
        text += option.letter == '\0' ? "" : fmt::format(" -s {}", option.letter);
        if (!option.choices.empty()) {
            text += fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
        } else if (!option.is_flag()) {
            text += option.completion == Completion::Nothing ? " -x"
                    : option.completion == Completion::Folder
                        ? " -x -a '(__fish_complete_directories)'"
                        : " -r -F";
        }
        text += fmt::format(" -d {}\n", fish_quoted(option.help.in(language)));
    }
    return text;
}

}  // namespace

std::string fish_completion(const Verb& program, Language language) {
    std::string rules;
    for (const auto& path : paths_of(program)) {
        for (const auto& below : path.back()->verbs) {
            if (!below.hidden) {
                rules += fmt::format("complete -c {0} -n '__{0}_at \"{1}\"' -a {2} -d {3}\n",
                                     program.name,
                                     chain_of(path),
                                     below.name,
                                     fish_quoted(below.help.in(language)));
            }
        }
        if (takes_files(*path.back())) {
            rules +=
                fmt::format("complete -c {0} -n '__{0}_at {1}' -F\n", program.name, chain_of(path));
        }
        rules += fish_options(program, path, language);
    }
    auto values = pattern_of_values(program);
    auto verbs = pattern_of_verbs(program);
    for (auto* patterns : {&values, &verbs}) {
        // fish separates by spaces, and would take a bare asterisk for file names.
        for (auto at = patterns->find(" | "); at != std::string::npos; at = patterns->find(" | ")) {
            patterns->replace(at, 3, "' '");
        }
    }
    return fmt::format(R"(# fish completion of {0}; made by the program itself
function __{0}_chain
    set -l chain ''
    set -l skip 0
    for given in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$chain:$given"
            case '{1}'
                set skip 1
                continue
        end
        switch "$chain/$given"
            case '{2}'
                set chain "$chain/$given"
        end
    end
    echo "=$chain"
end
function __{0}_at
    test (__{0}_chain) = "=$argv[1]"
end
function __{0}_below
    string match -q -- "=$argv[1]/*" (__{0}_chain)/
end
complete -c {0} -f
{3})",
                       program.name,
                       values,
                       verbs,
                       rules);
}

}  // namespace vigia::cli
