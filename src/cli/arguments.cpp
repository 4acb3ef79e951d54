// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>
#include <type_traits>

#include "base/text.h"
#include "policy/nearest.h"

namespace vigia::cli {
namespace {

// "a, b or c", in either language.
std::string enumeration(std::span<const std::string_view> names, Language language) {
    std::string text;
    for (std::size_t at = 0; at < names.size(); ++at) {
        const auto last = Text{" or ", " o "}.in(language);
        text += at == 0 ? "" : at + 1 == names.size() ? last : ", ";
        text += names[at];
    }
    return text;
}

std::vector<std::string_view> names_of_verbs(const Verb& verb) {
    std::vector<std::string_view> names;
    for (const auto& below : verb.verbs) {
        if (!below.hidden) {
            names.push_back(below.name);
        }
    }
    return names;
}

class Parser {
public:
    Parser(const Verb& program, std::span<const std::string> arguments, Language language)
        : arguments_(arguments), language_(language) {
        path_.push_back(&program);
    }

    [[nodiscard]] std::expected<Parsed, Refusal> run();

private:
    [[nodiscard]] const Verb& verb() const { return *path_.back(); }

    // The error in both languages, checked by the compiler; returns false.
    template <typename... Values>
    bool refuse(fmt::format_string<const Values&...> en,
                fmt::format_string<const Values&...> es,
                const Values&... values) {
        problem_ = name_of(path_) + ": " +
                   fmt::format(language_ == Language::Spanish ? es : en, values...);
        return false;
    }

    [[nodiscard]] bool take_plain(const std::string& given);
    [[nodiscard]] bool take_long(std::string_view given);
    [[nodiscard]] bool take_letters(std::string_view letters);
    [[nodiscard]] bool take_value(const Option& option);
    [[nodiscard]] bool store(const Option& option, const std::string& value);
    [[nodiscard]] bool store_number(const Option& option, const std::string& value);
    [[nodiscard]] bool refuse_option(std::string_view name);
    void look_for_missing();

    std::span<const std::string> arguments_;
    Language language_;
    std::size_t next_ = 0;
    std::size_t positions_given_ = 0;
    Path path_;
    std::vector<const Option*> given_;
    std::string problem_;
};

std::expected<Parsed, Refusal> Parser::run() {
    bool options = true;
    while (next_ < arguments_.size()) {
        const auto& given = arguments_[next_++];
        bool taken = true;
        if (options && given == "--") {
            options = false;
        } else if (options && given.starts_with("--")) {
            taken = take_long(given);
        } else if (options && given.size() > 1 && given.front() == '-') {
            taken = take_letters(std::string_view(given).substr(1));
        } else {
            taken = take_plain(given);
        }
        if (!taken) {
            return std::unexpected(Refusal{.problem = problem_, .path = path_});
        }
    }
    look_for_missing();
    return Parsed{.path = path_, .missing = problem_};
}

bool Parser::take_plain(const std::string& given) {
    if (positions_given_ == 0) {
        if (const auto* below = find_verb(verb(), given); below != nullptr) {
            path_.push_back(below);
            return true;
        }
    }
    const auto& positions = verb().positions;
    if (!positions.empty()) {
        const auto at = std::min(positions_given_, positions.size() - 1);
        if (positions[at].is_list()) {
            ++positions_given_;
            std::get<std::vector<std::string>*>(positions[at].into)->push_back(given);
            return true;
        }
        if (positions_given_ < positions.size()) {
            ++positions_given_;
            *std::get<std::string*>(positions[at].into) = given;
            return true;
        }
    }
    const auto names = names_of_verbs(verb());
    if (names.empty()) {
        return refuse(
            "unexpected argument '{}'", "el argumento '{}' está de más", printable(given));
    }
    auto hint = suggestion(given, names, language_);
    if (hint.empty()) {
        hint = fmt::format("; {}", enumeration(names, language_));
    }
    return refuse("unknown verb '{}'{}", "verbo desconocido '{}'{}", printable(given), hint);
}

bool Parser::take_long(std::string_view given) {
    const auto equals = given.find('=');
    const auto name = given.substr(0, equals);
    const auto* option = find_option(path_, name);
    if (option == nullptr) {
        return refuse_option(name);
    }
    if (equals == std::string_view::npos) {
        return take_value(*option);
    }
    if (option->is_flag()) {
        return refuse("{} takes no value", "{} no admite ningún valor", option->name);
    }
    return store(*option, std::string(given.substr(equals + 1)));
}

bool Parser::take_letters(std::string_view letters) {
    for (std::size_t at = 0; at < letters.size(); ++at) {
        const std::string name{'-', letters[at]};
        const auto* option = find_option(path_, name);
        if (option == nullptr) {
            return refuse_option(name);
        }
        if (option->is_flag()) {
            *std::get<bool*>(option->into) = true;
            continue;
        }
        const auto rest = letters.substr(at + 1);
        return rest.empty() ? take_value(*option) : store(*option, std::string(rest));
    }
    return true;
}

// The value is the next argument. One that looks like an option was probably meant as one; it can
// be given with '='.
bool Parser::take_value(const Option& option) {
    if (option.is_flag()) {
        *std::get<bool*>(option.into) = true;
        return true;
    }
    if (next_ == arguments_.size() || arguments_[next_].starts_with("--")) {
        return refuse(
            "{} needs a value: {}", "{} necesita un valor: {}", option.name, option.value);
    }
    return store(option, arguments_[next_++]);
}

bool Parser::store(const Option& option, const std::string& value) {
    if (auto* const* list = std::get_if<std::vector<std::string>*>(&option.into)) {
        (*list)->push_back(value);
        return true;
    }
    if (std::ranges::find(given_, &option) != given_.end()) {
        return refuse("{} is given twice", "{} está repetido", option.name);
    }
    given_.push_back(&option);
    if (std::holds_alternative<std::uint32_t*>(option.into)) {
        return store_number(option, value);
    }
    if (!option.choices.empty() &&
        std::ranges::find(option.choices, value) == option.choices.end()) {
        return refuse("{} '{}': expected {}{}",
                      "{} '{}': se espera {}{}",
                      option.name,
                      printable(value),
                      enumeration(option.choices, language_),
                      suggestion(value, option.choices, language_));
    }
    *std::get<std::string*>(option.into) = value;
    return true;
}

bool Parser::store_number(const Option& option, const std::string& value) {
    std::uint32_t number = 0;
    const auto* end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end || number < option.least ||
        number > option.most) {
        return refuse("{} '{}': expected a number from {} to {}",
                      "{} '{}': se espera un número de {} a {}",
                      option.name,
                      printable(value),
                      option.least,
                      option.most);
    }
    *std::get<std::uint32_t*>(option.into) = number;
    return true;
}

bool Parser::refuse_option(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto* verb : path_) {
        for (const auto& option : verb->options) {
            names.push_back(option.name);
        }
    }
    return refuse("unknown option '{}'{}",
                  "opción desconocida '{}'{}",
                  printable(name),
                  suggestion(name, names, language_));
}

void Parser::look_for_missing() {
    for (const auto& position : verb().positions | std::views::drop(positions_given_)) {
        if (position.required) {
            refuse("{} is missing", "falta {}", position.name);
            return;
        }
    }
    if (!verb().action) {
        refuse("say which: {}", "indique cuál: {}", enumeration(names_of_verbs(verb()), language_));
    }
}

}  // namespace

std::expected<Parsed, Refusal> parse(const Verb& program,
                                     std::span<const std::string> arguments,
                                     Language language) {
    return Parser(program, arguments, language).run();
}

std::string name_of(const Path& path) {
    std::string name;
    for (const auto* verb : path) {
        name += name.empty() ? "" : " ";
        name += verb->name;
    }
    return name;
}

const Verb* find_verb(const Verb& in, std::string_view name) {
    const auto found = std::ranges::find(in.verbs, name, &Verb::name);
    return found == in.verbs.end() ? nullptr : &*found;
}

const Option* find_option(const Path& path, std::string_view name) {
    const auto matches = [&](const Option& option) {
        return option.name == name ||
               (option.letter != '\0' && name == std::string{'-', option.letter});
    };
    for (const auto* verb : std::views::reverse(path)) {
        const auto found = std::ranges::find_if(verb->options, matches);
        if (found != verb->options.end()) {
            return &*found;
        }
    }
    return nullptr;
}

std::string suggestion(std::string_view given,
                       std::span<const std::string_view> names,
                       Language language) {
    const auto name = policy::nearest(given, names);
    return name.empty()
               ? ""
               : fmt::format(
                     "{}'{}'?", Text{"; did you mean ", "; ¿quiso decir "}.in(language), name);
}

}  // namespace vigia::cli
