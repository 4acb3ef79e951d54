// SPDX-License-Identifier: GPL-2.0-or-later
// The examples of docs/API.md, in the order of the page, each against what the command prints in
// the situation that the example stands for.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Example {
    std::string command;  // "vigia status --json" or "GET /healthz"
    json document;
};

// "<!-- COMMAND -->", "```json", the document, "```".
std::vector<Example> examples_of(const std::string& page) {
    constexpr std::string_view kOpen = "<!-- ";
    constexpr std::string_view kClose = " -->";
    std::vector<Example> examples;
    std::istringstream lines(page);
    std::string before;
    for (std::string line; std::getline(lines, line); before = line) {
        if (line != "```json") {
            continue;
        }
        std::string text;
        while (std::getline(lines, line) && line != "```") {
            text += line + '\n';
        }
        const bool named = before.starts_with(kOpen) && before.ends_with(kClose);
        EXPECT_TRUE(named) << "an example without its command:\n" << text;
        auto document = json::parse(text, nullptr, false);
        EXPECT_FALSE(document.is_discarded()) << before << "\n" << text;
        if (named) {
            before.resize(before.size() - kClose.size());
            examples.push_back({before.substr(kOpen.size()), std::move(document)});
        }
    }
    return examples;
}

std::string kind_of(const json& value) {
    return value.is_number() ? "number" : value.type_name();
}

// The first place in which the two have not the same form; empty: they have.
//  - null, on either side, may stand for anything;
//  - objects have the same keys, but for open maps, whose keys depend on what happened, and for a
//    step's command, which not every step has;
//  - each element of a list has the form of some element of the other; what is empty in one is
//    empty in the other.
std::string difference(const json& example, const json& printed, const std::string& at);

bool has_form_of_one(const json& element, const json& others) {
    return std::ranges::any_of(
        others, [&](const json& other) { return difference(other, element, "").empty(); });
}

std::string list_difference(const json& example, const json& printed, const std::string& at) {
    for (std::size_t i = 0; i < printed.size(); ++i) {
        if (!has_form_of_one(printed[i], example)) {
            return fmt::format(
                "{}[{}]: no element of the example has the form of {} ({})",
                at,
                i,
                printed[i].dump(),
                example.empty() ? "it has none" : difference(example.front(), printed[i], ""));
        }
    }
    for (std::size_t i = 0; i < example.size(); ++i) {
        if (!has_form_of_one(example[i], printed)) {
            return fmt::format("{}[{}]: nothing that is printed has the form of the example's {}",
                               at,
                               i,
                               example[i].dump());
        }
    }
    return {};
}

std::string difference(const json& example, const json& printed, const std::string& at) {
    static const std::set<std::string> kOpenMaps{"evidence", "filtered", "host"};
    static const std::set<std::string> kOptional{"command"};
    if (example.is_null() || printed.is_null()) {
        return {};
    }
    if (kind_of(example) != kind_of(printed)) {
        return fmt::format(
            "{}: {} in the example, {} printed", at, kind_of(example), kind_of(printed));
    }
    if (example.is_array()) {
        return list_difference(example, printed, at);
    }
    if (!example.is_object() || kOpenMaps.contains(at.substr(at.rfind('.') + 1))) {
        return {};
    }
    for (const auto& [key, value] : example.items()) {
        if (!printed.contains(key)) {
            if (kOptional.contains(key)) {
                continue;
            }
            return fmt::format("{}.{}: only in the example", at, key);
        }
        if (auto deeper = difference(value, printed.at(key), at + "." + key); !deeper.empty()) {
            return deeper;
        }
    }
    for (const auto& [key, value] : printed.items()) {
        if (!example.contains(key) && !kOptional.contains(key)) {
            return fmt::format("{}.{}: not in the example", at, key);
        }
    }
    return {};
}

class ApiDocuments : public WatchedDisk {
protected:
    ApiDocuments() : instance_(options()) {
        fs::create_directories(share_);
        instance_.write_policy(policy(1, "max_file_size"));
        write_file(ground_.root() / "new.toml", policy(2, "max_file_size"));
        write_file(ground_.root() / "wrong.toml", policy(1, "max_file_sise"));
        fs::create_directories(ground_.root() / "golden/etc");
        write_file(ground_.root() / "golden/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
        write_file(ground_.root() / "golden/etc/group", "root:x:0:\n");
        write_file(share_ / "invoice.com", eicar_);
        write_file(share_ / "minutes.txt", "minutes of the meeting\n");
        write_file(share_ / "large.bin", "");
        fs::resize_file(share_ / "large.bin", std::uintmax_t{2} << 20U);
    }

    [[nodiscard]] std::string policy(int serial, const std::string& size_key) const {
        return fmt::format(
            "[policy]\nname = \"Example\"\nserial = {}\n\n"
            "[files]\nmode = \"quarantine\"\nwatch = [\"{}\"]\n{} = \"1MiB\"\n\n"
            "[faults]\nself_heal = false\n",
            serial,
            watched_.native(),
            size_key);
    }

    void put_something_into_quarantine() {
        write_file(watched_ / "invoice.com", eicar_);
        ASSERT_TRUE(eventually([&] {
            const auto found = instance_.events("2004");
            return !found.empty() && found.back().at("vigia").at("event") == "threat-quarantined" &&
                   in_vault(instance_) == 1 && instance_.settled();
        }));
        item_ = instance_.json({"quarantine", "list"}).at("items").at(0).at("id");
    }

    void raise_fault_5() {
        ASSERT_EQ(::chmod(instance_.path("var/lib/vigia").c_str(), 0777), 0);
        ASSERT_TRUE(eventually([&] { return fault_5_is_raised(); }));
    }

    void await_its_end() {
        ASSERT_TRUE(eventually([&] { return !fault_5_is_raised(); }));
    }

    void put_another_into_quarantine() {
        write_file(watched_ / "second.com", eicar_ + "\n");
        ASSERT_TRUE(eventually([&] { return in_vault(instance_) == 1; }));
        item_ = instance_.json({"quarantine", "list"}).at("items").at(0).at("id");
    }

    // Others may be as well: that depends on the machine.
    [[nodiscard]] bool fault_5_is_raised() const {
        return instance_.json({"faults", "show", "5"}).is_object();
    }

    // Files that need the engine, until this program of ours is seen to be the reason.
    void cost_something() {
        ASSERT_TRUE(eventually([&] {
            for (int i = 0; i < 20; ++i, ++written_) {
                write_file(watched_ / fmt::format("draft{}", written_),
                           fmt::format("draft {}\n", written_));
            }
            const auto found = instance_.json({"exclusions", "suggest"}).at("suggestions");
            const auto programs = instance_.json({"top", "--once"}).at("programs");
            return !found.empty() && !programs.empty() && !programs[0].at("writes").empty();
        }));
    }

    // What has to have happened before an example is true.
    void prepare(const std::string& command) {
        const std::map<std::string, std::function<void()>> situations{
            {"vigia status --json", [&] { raise_fault_5(); }},
            {"vigia faults history --json", [&] { await_its_end(); }},
            {"vigia top --once --json", [&] { cost_something(); }},
            {"vigia exclusions suggest --json", [&] { cost_something(); }},
            {"vigia quarantine delete ID --json", [&] { put_another_into_quarantine(); }}};
        if (const auto found = situations.find(command); found != situations.end()) {
            found->second();
        }
    }

    // The names that the page uses stand for those of this test.
    [[nodiscard]] std::string word(const std::string& word) const {
        const std::map<std::string, std::string> names{
            {"ID", item_},
            {"/srv/golden", ground_.root() / "golden"},
            {"/srv/share", share_},
            {"/srv/missing", disk_ / "missing"},
            {"/srv/restored", disk_ / "restored"},
            {"new.toml", ground_.root() / "new.toml"},
            {"wrong.toml", ground_.root() / "wrong.toml"}};
        const auto found = names.find(word);
        return found == names.end() ? word : found->second;
    }

    [[nodiscard]] json printed_by(const std::string& command) const {
        std::istringstream in(command);
        std::vector<std::string> words;
        for (std::string one; in >> one;) {
            words.push_back(word(one));
        }
        const auto output = words.at(0) == "GET"
                                ? run("/usr/bin/curl",
                                      {"-s",
                                       "--max-time",
                                       "20",
                                       "--unix-socket",
                                       instance_.path("run/vigia/status.sock").native(),
                                       "http://vigia" + words.at(1)})
                                : instance_.cli({words.begin() + 1, words.end()});
        auto document = json::parse(output.out, nullptr, false);
        EXPECT_FALSE(document.is_discarded()) << command << ":\n" << output.out << output.err;
        return document;
    }

    fs::path share_ = disk_ / "share";
    std::string item_;
    int written_ = 0;
    Instance instance_;
};

TEST_F(ApiDocuments, EveryExampleHasTheFormOfWhatIsPrinted) {
    const auto examples = examples_of(read_text(fs::path(VIGIA_SOURCE_DIR) / "docs/API.md"));
    ASSERT_TRUE(instance_.start());
    ASSERT_NO_FATAL_FAILURE(put_something_into_quarantine());
    for (const auto& [command, document] : examples) {
        ASSERT_NO_FATAL_FAILURE(prepare(command)) << command;
        const auto printed = printed_by(command);
        EXPECT_EQ(difference(document, printed, ""), "") << command << " prints\n"
                                                         << printed.dump(2);
    }
    std::set<std::string> verbs;
    for (const auto& example : examples) {
        std::istringstream in(example.command);
        std::string program;
        std::string verb;
        in >> program >> verb;
        verbs.insert(verb);
    }
    for (const char* verb : {"doctor",
                             "status",
                             "faults",
                             "selftest",
                             "scan",
                             "quarantine",
                             "events",
                             "policy",
                             "definitions",
                             "top",
                             "exclusions",
                             "/healthz"}) {
        EXPECT_TRUE(verbs.contains(verb)) << "no example of " << verb;
    }
}

// That the comparison can fail at all.
TEST(ApiDocumentsComparison, SeesWhatIsMissingAdditionalAndOfAnotherType) {
    const auto differs = [](const char* example, const char* printed) {
        return !difference(json::parse(example), json::parse(printed), "").empty();
    };
    EXPECT_FALSE(differs(R"({"a": 1, "b": [{"c": ""}]})", R"({"a": 2.5, "b": [{"c": "x"}]})"));
    EXPECT_FALSE(differs(R"({"a": null})", R"({"a": "text"})"));
    EXPECT_FALSE(differs(R"({"evidence": {"x": 1}})", R"({"evidence": {}})"));
    EXPECT_TRUE(differs(R"({"evidence": {}})", R"({"evidence": []})"));
    EXPECT_TRUE(differs(R"({"a": 1})", R"({})"));
    EXPECT_TRUE(differs(R"({})", R"({"a": 1})"));
    EXPECT_TRUE(differs(R"({"a": 1})", R"({"a": "1"})"));
    EXPECT_TRUE(differs(R"({"b": [{"c": 1}]})", R"({"b": []})"));
    EXPECT_TRUE(differs(R"({"b": []})", R"({"b": [1]})"));
    EXPECT_FALSE(differs(R"([{"text": ""}])", R"([{"text": "", "command": ""}])"));
    EXPECT_TRUE(differs(R"([{"c": 1}, {"d": 1}])", R"([{"c": 1}])"));
    EXPECT_TRUE(differs(R"([{"c": 1}])", R"([{"c": 1}, {"c": 1, "d": 1}])"));
}

}  // namespace
}  // namespace vigia::test
