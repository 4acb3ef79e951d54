// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/help.h"

namespace vigia::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Exit fine(const Context& /*context*/) {
    return Exit::Fine;
}

// A program with what verbs need: verbs below verbs, an action beside them, options of all.
class Arguments : public testing::Test {
protected:
    [[nodiscard]] std::expected<Parsed, Refusal> parse(
        const std::vector<std::string>& arguments, Language language = Language::English) const {
        return cli::parse(program_, arguments, language);
    }

    [[nodiscard]] std::string refusal(const std::vector<std::string>& arguments,
                                      Language language = Language::English) const {
        const auto parsed = parse(arguments, language);
        return parsed ? "accepted" : parsed.error().problem;
    }

    [[nodiscard]] std::string chosen(const std::vector<std::string>& arguments) const {
        const auto parsed = parse(arguments);
        return parsed ? name_of(parsed->path) : parsed.error().problem;
    }

    [[nodiscard]] std::string missing(const std::vector<std::string>& arguments) const {
        const auto parsed = parse(arguments);
        return parsed ? parsed->missing : parsed.error().problem;
    }

    bool json_ = false;
    bool dry_run_ = false;
    std::string id_;
    std::string colour_;
    std::uint32_t limit_ = 7;
    std::vector<std::string> paths_;
    std::vector<std::string> sets_;
    Verb program_{
        .name = "tool",
        .help = {"a tool", "una herramienta"},
        .options = {{.name = "--json", .help = {"as JSON", "como JSON"}, .into = &json_}},
        .verbs = {
            {.name = "faults",
             .help = {"what is wrong", "qué falla"},
             .options = {{.name = "--colour",
                          .value = "C",
                          .help = {"which", "cuál"},
                          .choices = {"red", "green"},
                          .into = &colour_}},
             .verbs = {{.name = "list", .help = {"all", "todos"}, .action = fine},
                       {.name = "fix",
                        .help = {"mend it", "lo arregla"},
                        .options = {{.name = "--dry-run",
                                     .letter = 'n',
                                     .help = {"only say", "solo lo dice"},
                                     .into = &dry_run_}},
                        .positions = {{.name = "ID", .help = {"of it", "suyo"}, .into = &id_}},
                        .action = fine},
                       {.name = "secret", .action = fine, .hidden = true}},
             .action = fine},
            {.name = "scan",
             .help = {"look", "mira"},
             .options = {{.name = "--limit",
                          .letter = 'l',
                          .value = "N",
                          .help = {"most", "máximo"},
                          .least = 1,
                          .most = 100,
                          .into = &limit_},
                         {.name = "--set", .value = "S", .into = &sets_}},
             .positions = {{.name = "PATH", .required = false, .into = &paths_}},
             .action = fine},
            {.name = "policy", .verbs = {{.name = "show", .action = fine}}}}};
};

TEST_F(Arguments, OptionsOfAVerbAreTakenByAllVerbsBelowBeforeAndAfterTheirNames) {
    EXPECT_EQ(chosen({"--json", "faults", "fix", "12"}), "tool faults fix");
    EXPECT_TRUE(json_);
    EXPECT_EQ(id_, "12");
    EXPECT_EQ(chosen({"faults", "--colour", "red", "list"}), "tool faults list");
    EXPECT_EQ(colour_, "red");
    EXPECT_EQ(chosen({"faults", "fix", "7", "--colour=green", "-n"}), "tool faults fix");
    EXPECT_EQ(colour_, "green");
    EXPECT_TRUE(dry_run_);
}

TEST_F(Arguments, AVerbWithAnActionNeedsNoVerbBelow) {
    EXPECT_EQ(chosen({"faults"}), "tool faults");
    EXPECT_EQ(missing({"faults"}), "");
    EXPECT_EQ(missing({"policy"}), "tool policy: say which: show");
    EXPECT_EQ(missing({}), "tool: say which: faults, scan or policy");
}

TEST_F(Arguments, ARefusalNamesTheVerbWhoseHelpIsWanted) {
    const auto path_of_refusal = [&](const std::vector<std::string>& arguments) {
        const auto parsed = parse(arguments);
        return parsed ? "accepted" : name_of(parsed.error().path);
    };
    EXPECT_EQ(path_of_refusal({"fautls"}), "tool");
    EXPECT_EQ(path_of_refusal({"faults", "lst"}), "tool faults");
    EXPECT_EQ(path_of_refusal({"faults", "fix", "--colour", "blue"}), "tool faults fix");
    EXPECT_EQ(path_of_refusal({"faults", "list", "--nonsense"}), "tool faults list");
}

TEST_F(Arguments, AnUnknownVerbIsNamedWithTheNearest) {
    EXPECT_EQ(refusal({"fautls"}), "tool: unknown verb 'fautls'; did you mean 'faults'?");
    EXPECT_EQ(refusal({"faults", "lst"}), "tool faults: unknown verb 'lst'; did you mean 'list'?");
    EXPECT_EQ(refusal({"xyzzy"}), "tool: unknown verb 'xyzzy'; faults, scan or policy");
    EXPECT_EQ(refusal({"fautls"}, Language::Spanish),
              "tool: verbo desconocido 'fautls'; ¿quiso decir 'faults'?");
    EXPECT_EQ(refusal({"a\x1b[2J"}).find('\x1b'), std::string::npos);
}

TEST_F(Arguments, AnUnknownOptionIsNamedWithTheNearest) {
    EXPECT_EQ(refusal({"faults", "--jsno"}),
              "tool faults: unknown option '--jsno'; did you mean '--json'?");
    EXPECT_EQ(refusal({"faults", "fix", "--dryrun"}),
              "tool faults fix: unknown option '--dryrun'; did you mean '--dry-run'?");
    EXPECT_EQ(refusal({"scan", "-x"}), "tool scan: unknown option '-x'");
    // Options of another verb are not ours.
    EXPECT_THAT(refusal({"scan", "--dry-run"}), HasSubstr("unknown option '--dry-run'"));
}

TEST_F(Arguments, ValuesAreChecked) {
    EXPECT_EQ(refusal({"faults", "--colour", "gren"}),
              "tool faults: --colour 'gren': expected red or green; did you mean 'green'?");
    for (const auto* bad : {"0", "101", "x", "", "5x", "-1", "99999999999"}) {
        EXPECT_THAT(refusal({"scan", "--limit", bad}), HasSubstr("expected a number from 1 to 100"))
            << bad;
    }
    EXPECT_EQ(refusal({"scan", "--limit"}), "tool scan: --limit needs a value: N");
    EXPECT_EQ(refusal({"scan", "--limit", "--json"}), "tool scan: --limit needs a value: N");
    EXPECT_EQ(refusal({"scan", "--json=yes"}), "tool scan: --json takes no value");
    EXPECT_EQ(refusal({"scan", "-l1", "-l2"}), "tool scan: --limit is given twice");
}

TEST_F(Arguments, LettersCanBeJoinedWithTheirValueAndWithEachOther) {
    EXPECT_EQ(chosen({"scan", "-l42"}), "tool scan");
    EXPECT_EQ(limit_, 42U);
    EXPECT_EQ(chosen({"faults", "fix", "-n", "3"}), "tool faults fix");
    EXPECT_TRUE(dry_run_);
}

TEST_F(Arguments, AListTakesTheRestAndDashesAfterTwoDashes) {
    EXPECT_EQ(chosen({"scan", "a", "--set", "x", "faults", "--set=y", "--", "--json", "-"}),
              "tool scan");
    EXPECT_THAT(paths_, ElementsAre("a", "faults", "--json", "-"));
    EXPECT_THAT(sets_, ElementsAre("x", "y"));
    EXPECT_FALSE(json_);
}

TEST_F(Arguments, TooFewAndTooManyArgumentsAreErrors) {
    EXPECT_EQ(missing({"faults", "fix"}), "tool faults fix: ID is missing");
    EXPECT_EQ(refusal({"faults", "fix", "1", "2"}), "tool faults fix: unexpected argument '2'");
    EXPECT_EQ(missing({"faults", "fix", ""}), "");
}

TEST_F(Arguments, HelpNamesEverythingInBothLanguagesButWhatIsHidden) {
    const auto path = parse({"faults"})->path;
    const auto english = help_text(path, Language::English);
    for (const auto* text : {"Usage: tool faults [VERB] [OPTION]…",
                             "mend it",
                             "--colour C",
                             "which: red, green",
                             "as JSON"}) {
        EXPECT_THAT(english, HasSubstr(text));
    }
    EXPECT_EQ(english.find("secret"), std::string::npos);
    const auto spanish = help_text(path, Language::Spanish);
    for (const auto* text : {"Uso: tool faults [VERBO] [OPCIÓN]…", "lo arregla", "como JSON"}) {
        EXPECT_THAT(spanish, HasSubstr(text));
    }
}

}  // namespace
}  // namespace vigia::cli
