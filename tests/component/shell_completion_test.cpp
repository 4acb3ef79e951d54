// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_cli
// What the build made of the command line for people and shells, read and executed by those who
// will: the manual by the words of the help, the completions by the shells themselves.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/files.h"
#include "cli/help.h"
#include "cli/program.h"
#include "support/process.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using cli::Path;
using cli::Verb;
using testing::HasSubstr;
using Words = std::set<std::string>;

fs::path text_file(const std::string& below) {
    return fs::path(VIGIA_BIN_DIR).parent_path() / "texts" / below;
}

void gather(const Path& path, std::vector<Path>& all) {
    all.push_back(path);
    for (const auto& verb : path.back()->verbs) {
        if (!verb.hidden) {
            auto longer = path;
            longer.push_back(&verb);
            gather(longer, all);
        }
    }
}

Words lines_of(const std::string& text) {
    Words words;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        words.insert(line.substr(0, line.find('\t')));  // fish explains after a tab
    }
    return words;
}

// Every verb of the program, with what its completion and its manual owe it.
class ShellTexts : public testing::Test {
protected:
    ShellTexts() { gather({&program_.root()}, paths_); }

    [[nodiscard]] static Words verbs_of(const Path& path) {
        Words names;
        for (const auto& verb : path.back()->verbs) {
            if (!verb.hidden) {
                names.emplace(verb.name);
            }
        }
        return names;
    }

    [[nodiscard]] static Words options_of(const Path& path) {
        Words names;
        for (const auto* verb : path) {
            for (const auto& option : verb->options) {
                names.emplace(option.name);
            }
        }
        return names;
    }

    // The shell's completions of a line that ends with the word to complete.
    [[nodiscard]] static Words bash(const std::string& line) {
        std::string words;
        std::istringstream in(line);
        for (std::string word; in >> word;) {
            words += fmt::format("'{}' ", word);
        }
        words += line.ends_with(' ') ? "''" : "";
        const auto output = run(
            "/bin/bash",
            {"-c",
             fmt::format("source '{}' && COMP_WORDS=({}) && COMP_CWORD=$((${{#COMP_WORDS[@]}} - "
                         "1)) && _vigia && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                         text_file("bash-completion/completions/vigia").native(),
                         words)});
        EXPECT_EQ(output.exit, 0) << output.err;
        EXPECT_EQ(output.err, "");
        auto found = lines_of(output.out);
        found.erase("");
        return found;
    }

    [[nodiscard]] static Words fish(const std::string& line) {
        const auto output =
            run("/usr/bin/fish",
                {"--no-config",
                 "-c",
                 fmt::format("source '{}'; complete -C '{}'",
                             text_file("fish/vendor_completions.d/vigia.fish").native(),
                             line)});
        EXPECT_EQ(output.exit, 0) << output.err;
        EXPECT_EQ(output.err, "");
        return lines_of(output.out);
    }

    cli::Program program_;
    std::vector<Path> paths_;
};

TEST_F(ShellTexts, EveryVerbAndOptionHasItsTextInBothLanguages) {
    const auto told = [](const cli::Text& text) { return !text.en.empty() && !text.es.empty(); };
    for (const auto& path : paths_) {
        EXPECT_TRUE(told(path.back()->help)) << name_of(path);
        for (const auto& option : path.back()->options) {
            EXPECT_TRUE(told(option.help)) << name_of(path) << " " << option.name;
            EXPECT_EQ(option.is_flag(), option.value.empty()) << option.name;
        }
        for (const auto& position : path.back()->positions) {
            EXPECT_TRUE(told(position.help)) << name_of(path) << " " << position.name;
        }
    }
}

// What the program says of itself when it is run, not what the tree says: the hidden way from the
// tree to the manual may not lose anything.
TEST_F(ShellTexts, TheManualNamesEveryVerbAndOptionOfTheProgram) {
    for (const auto& [file, language] :
         {std::pair{"man/man1/vigia.1", "en"}, std::pair{"man/es/man1/vigia.1", "es"}}) {
        const auto shown = run("/usr/bin/groff",
                               {"-man",
                                "-Tutf8",
                                "-Kutf8",
                                "-P-c",
                                "-P-b",
                                "-P-u",
                                "-rLL=1000n",
                                text_file(file).native()});
        ASSERT_EQ(shown.exit, 0) << shown.err;
        EXPECT_EQ(shown.err, "") << file;
        for (const auto& path : paths_) {
            const auto tongue =
                language == std::string("es") ? cli::Language::Spanish : cli::Language::English;
            if (path.size() > 1) {
                EXPECT_THAT(shown.out, HasSubstr(usage(path, tongue) + "\n"));
            }
            auto words = std::vector<std::string>{};
            for (const auto* verb : path) {
                if (verb != path.front()) {
                    words.emplace_back(verb->name);
                }
            }
            words.insert(words.end(), {"--help", "--lang", language});
            const auto help = run(dev_program("vigia"), words);
            ASSERT_EQ(help.exit, 0) << help.err;
            for (const auto& option : options_of(path)) {
                EXPECT_THAT(help.out, HasSubstr(option)) << name_of(path);
                EXPECT_THAT(shown.out, HasSubstr(option)) << name_of(path);
            }
        }
    }
}

TEST_F(ShellTexts, TheManualOfTheDaemonNamesEveryOptionOfItsHelp) {
    const auto help = run(dev_program("vigiad"), {"--help"});
    ASSERT_EQ(help.exit, 0);
    auto page = read_file(fs::path(VIGIA_SOURCE_DIR) / "packaging/vigiad.8", 1U << 20U);
    ASSERT_TRUE(page);
    std::erase(*page, '\\');
    std::size_t options = 0;
    for (auto at = help.out.find("--"); at != std::string::npos; at = help.out.find("--", at + 2)) {
        const auto end = help.out.find_first_of(" ,\n", at);
        EXPECT_THAT(*page, HasSubstr(help.out.substr(at, end - at)));
        ++options;
    }
    EXPECT_GE(options, 6U);
}

TEST_F(ShellTexts, BashOffersTheVerbsAndOptionsOfEveryVerb) {
    for (const auto& path : paths_) {
        const auto line = name_of(path) + " ";
        const auto verbs = verbs_of(path);
        if (!verbs.empty()) {
            EXPECT_EQ(bash(line), verbs) << line;
        }
        EXPECT_EQ(bash(line + "--"), options_of(path)) << line;
    }
}

TEST_F(ShellTexts, BashOffersValuesWhereTheyAreKnown) {
    auto root = (fs::temp_directory_path() / "vigia-completion-XXXXXX").native();
    ASSERT_NE(::mkdtemp(root.data()), nullptr);
    const auto folder = fs::path(root) / "a folder";
    fs::create_directory(folder);
    EXPECT_EQ(bash("vigia --lang "), (Words{"en", "es"}));
    EXPECT_EQ(bash("vigia status --lang = e"), (Words{"en", "es"}));  // as bash splits "--lang=e"
    EXPECT_EQ(bash("vigia --lang es quarantine "), (Words{"list", "show", "restore", "delete"}));
    EXPECT_EQ(bash("vigia events --since "), Words{});
    EXPECT_EQ(bash("vigia scan " + root + "/"), Words{folder.native()});
    EXPECT_EQ(bash("vigia --prefix " + root + "/"), Words{folder.native()});
    fs::remove_all(root);
}

TEST_F(ShellTexts, FishOffersTheVerbsAndOptionsOfEveryVerb) {
    if (!fs::exists("/usr/bin/fish")) {
        GTEST_SKIP() << "fish is not installed";
    }
    for (const auto& path : paths_) {
        const auto line = name_of(path) + " ";
        const auto verbs = verbs_of(path);
        if (!verbs.empty()) {
            EXPECT_EQ(fish(line), verbs) << line;
        }
        EXPECT_EQ(fish(line + "--"), options_of(path)) << line;
    }
    EXPECT_EQ(fish("vigia --lang "), (Words{"en", "es"}));
    EXPECT_EQ(fish("vigia --lang es quarantine re"), Words{"restore"});
}

// zsh completes only in a terminal: here a function in place of _describe prints what it is given.
TEST_F(ShellTexts, ZshOffersTheVerbsAndOptionsOfEveryVerb) {
    if (!fs::exists("/bin/zsh")) {
        GTEST_SKIP() << "zsh is not installed";
    }
    const auto zsh = [](const std::string& line) {
        const auto output = run(
            "/bin/zsh",
            {"-f",
             "-c",
             fmt::format("_describe() {{ print -l -- ${{(P)${{@[-1]}}}}; }}; _files() {{ :; }}; "
                         "complete_it() {{ source '{}'; }}; words=({}{}); "
                         "CURRENT=$#words; complete_it",
                         text_file("zsh/vendor-completions/_vigia").native(),
                         line,
                         line.ends_with(' ') ? "''" : "")});
        EXPECT_EQ(output.exit, 0) << output.err;
        EXPECT_EQ(output.err, "");
        Words names;
        for (const auto& described : lines_of(output.out)) {
            names.insert(described.substr(0, described.find(':')));
        }
        names.erase("");
        return names;
    };
    for (const auto& path : paths_) {
        const auto line = name_of(path) + " ";
        EXPECT_EQ(zsh(line), verbs_of(path)) << line;
        EXPECT_EQ(zsh(line + "--"), options_of(path)) << line;
    }
}

}  // namespace
}  // namespace vigia::test
