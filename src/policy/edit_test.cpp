// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/edit.h"

#include <gtest/gtest.h>

#include "policy/policy_file.h"
#include "policy/source_text.h"

namespace vigia::policy {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

constexpr sys_days kToday = 2026y / 11 / 26;

std::string added(std::string_view text, const ExclusionAddition& addition) {
    const auto changed = add_exclusion(text, addition, kToday);
    EXPECT_TRUE(changed) << (changed ? "" : changed.error().message);
    return changed.value_or("");
}

std::string removed(std::string_view text, const std::string& set, const ExclusionRule& rule) {
    const auto changed = remove_exclusion(text, set, rule);
    EXPECT_TRUE(changed) << (changed ? "" : changed.error().message);
    return changed.value_or("");
}

ExclusionAddition folder(const std::string& set, const std::string& path, const std::string& why) {
    return {.set = set, .rule = {.kind = RuleKind::Path, .value = path}, .reason = why};
}

TEST(AddExclusion, ANewSetStandsBehindTheOthersAndNothingElseChanges) {
    const std::string before =
        "# our policy\n[policy]\nname = \"P\" # theirs\n\n[exclusions.ci]\nreason = \"build\"\n"
        "paths = [\"/srv/ci\"] # the farm\n\n[scan]\nworkers = 2\n";
    const auto after = added(before,
                             {.set = "busy",
                              .rule = {.kind = RuleKind::Process,
                                       .value = "/usr/bin/make",
                                       .user = "ci",
                                       .children = true},
                              .reason = "storm",
                              .expires = sys_days(2027y / 1 / 1)});
    EXPECT_EQ(
        after,
        "# our policy\n[policy]\nname = \"P\" # theirs\n\n[exclusions.ci]\nreason = \"build\"\n"
        "paths = [\"/srv/ci\"] # the farm\n\n[exclusions.busy]\nreason = \"storm\"\n"
        "expires = 2027-01-01\n"
        "processes = [{ path = \"/usr/bin/make\", user = \"ci\", children = true }]\n"
        "\n[scan]\nworkers = 2\n");
}

TEST(AddExclusion, WorksOnAnEmptyFileAndOneWithoutANewlineAtItsEnd) {
    EXPECT_EQ(added("", folder("a", "/x", "why")),
              "\n[exclusions.a]\nreason = \"why\"\npaths = [\"/x\"]\n");
    EXPECT_EQ(added("[policy]\nname = \"P\"", folder("a", "/x", "why")),
              "[policy]\nname = \"P\"\n\n[exclusions.a]\nreason = \"why\"\npaths = [\"/x\"]\n");
}

TEST(AddExclusion, KeepsTheLineEndsOfTheFile) {
    EXPECT_EQ(added("[policy]\r\nname = \"P\"\r\n", folder("a", "/x", "why")),
              "[policy]\r\nname = \"P\"\r\n\r\n[exclusions.a]\r\nreason = \"why\"\r\n"
              "paths = [\"/x\"]\r\n");
    EXPECT_EQ(added("[exclusions.a]\r\nreason = \"why\"\r\npaths = [\r\n  \"/x\"\r\n]\r\n",
                    folder("a", "/y", "")),
              "[exclusions.a]\r\nreason = \"why\"\r\npaths = [\r\n  \"/x\",\r\n  \"/y\"\r\n]\r\n");
}

TEST(AddExclusion, AListGrowsInTheLayoutItHas) {
    const auto with = [](const std::string& list) { return "[exclusions.a]\npaths = " + list; };
    const auto grown = [&](const std::string& list) {
        return added(with(list), folder("a", "/z", ""));
    };
    EXPECT_EQ(grown("[]\n"), with("[\"/z\"]\n"));
    EXPECT_EQ(grown("[\"/x\"]\n"), with("[\"/x\", \"/z\"]\n"));
    EXPECT_EQ(grown("[\"/x\",]\n"), with("[\"/x\", \"/z\",]\n"));
    EXPECT_EQ(grown("[ '/x', \"/y]\" ] # ]\n"), with("[ '/x', \"/y]\", \"/z\" ] # ]\n"));
    EXPECT_EQ(grown("[\n    \"/x\", # one\n    \"/y\" # two, ]\n]\n"),
              with("[\n    \"/x\", # one\n    \"/y\", # two, ]\n    \"/z\"\n]\n"));
    EXPECT_EQ(grown("[\n  \"/x\",\n  # the end\n]\n"),
              with("[\n  \"/x\",\n  # the end\n  \"/z\",\n]\n"));
    EXPECT_EQ(grown("[\n  # none yet\n]\n"), with("[\n  # none yet\n    \"/z\",\n]\n"));
    EXPECT_EQ(grown("[\n  \"\"\"/x\"\"\", '''/y''']\n"),
              with("[\n  \"\"\"/x\"\"\", '''/y''', \"/z\"]\n"));
}

TEST(AddExclusion, AKeyThatTheSetLacksStandsBehindItsLastOne) {
    EXPECT_EQ(added("[exclusions.a]\n  reason = \"r\" # why\n\n[scan]\n",
                    {.set = "a", .rule = {.kind = RuleKind::Extension, .value = ".ISO"}}),
              "[exclusions.a]\n  reason = \"r\" # why\n  extensions = [\"iso\"]\n\n[scan]\n");
    EXPECT_EQ(added("[exclusions.a] # empty\n",
                    {.set = "a", .rule = {.kind = RuleKind::Threat, .value = "Eicar"}}),
              "[exclusions.a] # empty\nthreats = [\"Eicar\"]\n");
}

TEST(AddExclusion, InlineTablesAndDottedKeysGrowAsTheyAre) {
    EXPECT_EQ(added("exclusions = { a = { reason = \"r, }\", paths = [\"/x\"] } }\n",
                    folder("a", "/y", "")),
              "exclusions = { a = { reason = \"r, }\", paths = [\"/x\", \"/y\"] } }\n");
    EXPECT_EQ(added("exclusions = { a = { reason = \"r\" } }\n", folder("a", "/y", "")),
              "exclusions = { a = { reason = \"r\", paths = [\"/y\"] } }\n");
    EXPECT_EQ(
        added("exclusions = { a = { reason = \"r\" } }\n", folder("b", "/y", "q")),
        "exclusions = { a = { reason = \"r\" }, b = { reason = \"q\", paths = [\"/y\"] } }\n");
    EXPECT_EQ(added("[exclusions]\na = { reason = \"r\" }\n", folder("a", "/y", "")),
              "[exclusions]\na = { reason = \"r\", paths = [\"/y\"] }\n");
    EXPECT_EQ(added("exclusions.a.reason = \"r\"\nexclusions.a.paths = [\"/x\"]\n",
                    folder("a", "/y", "")),
              "exclusions.a.reason = \"r\"\nexclusions.a.paths = [\"/x\", \"/y\"]\n");
    EXPECT_EQ(added("exclusions.a.reason = \"r\" # c\n[scan]\n", folder("a", "/y", "")),
              "exclusions.a.reason = \"r\" # c\nexclusions.a.paths = [\"/y\"]\n[scan]\n");
}

TEST(AddExclusion, TablesOfProcessesGetOneMore) {
    const std::string before = "[[exclusions.a.processes]]\npath = \"/usr/bin/x\"\n# end\n";
    const auto after = added(
        before,
        {.set = "a", .rule = {.kind = RuleKind::Process, .value = "/usr/bin/y", .user = "u"}});
    EXPECT_EQ(after,
              "[[exclusions.a.processes]]\npath = \"/usr/bin/x\"\n\n[[exclusions.a.processes]]\n"
              "path = \"/usr/bin/y\"\nuser = \"u\"\n\n# end\n");
    EXPECT_EQ(removed(before, "a", {.kind = RuleKind::Process, .value = "/usr/bin/x"}), "# end\n");
}

TEST(AddExclusion, HostileValuesAreQuotedOrRefused) {
    const auto after = added("", folder("a", "/srv/\"] #\n[policy]\n\\", "it's \"so\""));
    const auto policy = parse(after, "p");
    ASSERT_TRUE(policy);
    EXPECT_EQ((*policy)->exclusions.at(0).paths.at(0), "/srv/\"] #\n[policy]\n\\");
    EXPECT_EQ((*policy)->exclusions.at(0).reason, "it's \"so\"");
    const auto why_not = [](const ExclusionAddition& addition) {
        const auto changed = add_exclusion("", addition, kToday);
        EXPECT_FALSE(changed);
        return changed ? "" : changed.error().message;
    };
    EXPECT_NE(why_not(folder("a", "/srv/\xff", "r")).find("not valid UTF-8"), std::string::npos);
    EXPECT_NE(why_not(folder("a", "srv", "r")).find("not absolute"), std::string::npos);
    EXPECT_NE(why_not(folder("a", "/", "r")).find("everything"), std::string::npos);
    EXPECT_NE(why_not(folder("a.b\n", "/x", "r")).find("'a.b\\n' cannot name a set"),
              std::string::npos);
    EXPECT_NE(why_not(folder("", "/x", "r")).find("cannot name a set"), std::string::npos);
    EXPECT_NE(why_not(folder("a", "/x", "")).find("needs a reason"), std::string::npos);
    EXPECT_NE(why_not(folder("a", "/x", "two\nlines")).find("reason"), std::string::npos);
    auto late = folder("a", "/x", "r");
    late.expires = kToday;
    EXPECT_NE(why_not(late).find("expired already on 2026-11-26"), std::string::npos);
    auto user = folder("a", "/x", "r");
    user.rule.user = "root";
    EXPECT_NE(why_not(user).find("process rule"), std::string::npos);
}

TEST(AddExclusion, RefusesWhatIsThereAlreadyOrContradictsTheSet) {
    const std::string text =
        "[exclusions.a]\nreason = \"r\"\nexpires = 2027-01-01\npaths = [\"/x\"]\n";
    const auto kind = [&](const ExclusionAddition& addition) {
        const auto changed = add_exclusion(text, addition, kToday);
        return changed ? std::nullopt : std::optional(changed.error().kind);
    };
    EXPECT_EQ(kind(folder("a", "/x/", "r")), EditRefusal::Kind::Unchanged);
    EXPECT_EQ(kind(folder("a", "/y", "other")), EditRefusal::Kind::Invalid);
    auto other = folder("a", "/y", "r");
    other.expires = sys_days(2028y / 1 / 1);
    EXPECT_EQ(kind(other), EditRefusal::Kind::Invalid);
    EXPECT_EQ(kind(folder("a", "/y", "r")), std::nullopt);
    const auto broken = add_exclusion("[files]\nmode = 3\n", folder("a", "/x", "r"), kToday);
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().kind, EditRefusal::Kind::Broken);
}

TEST(RemoveExclusion, UndoesWhatWasAddedByteForByte) {
    for (const std::string before :
         {"# c\n[policy]\nname = \"P\"\n",
          "[policy]\nname = \"P\"\n\n[exclusions.z]\nreason = \"z\"\npaths = [\"/z\"]\n\n# tail\n",
          "[policy]\r\nname = \"P\"\r\n",
          "[exclusions.a]\nreason = \"why\"\nwildcards = [\n  \"/home/*/x\", # c\n]\n"}) {
        const ExclusionAddition addition{
            .set = "a",
            .rule = {.kind = RuleKind::Wildcard, .value = "/home/*/.cache/**"},
            .reason = "why"};
        const auto after = added(before, addition);
        EXPECT_NE(after, before);
        EXPECT_EQ(removed(after, "a", addition.rule), before) << after;
    }
}

TEST(RemoveExclusion, TakesOneOfManyAndKeepsTheOthersWithTheirComments) {
    const auto path = [](const char* value) {
        return ExclusionRule{.kind = RuleKind::Path, .value = value};
    };
    EXPECT_EQ(removed("[exclusions.a]\npaths = [\"/x\", \"/y\", \"/z\"]\n", "a", path("/x")),
              "[exclusions.a]\npaths = [\"/y\", \"/z\"]\n");
    EXPECT_EQ(removed("[exclusions.a]\npaths = [\"/x\", \"/y\", \"/z\"]\n", "a", path("/z")),
              "[exclusions.a]\npaths = [\"/x\", \"/y\"]\n");
    EXPECT_EQ(removed("[exclusions.a]\npaths = [\n \"/x\", # x\n \"/y\", # y\n \"/z\" # z\n]\n",
                      "a",
                      path("/y")),
              "[exclusions.a]\npaths = [\n \"/x\", # x\n \"/z\" # z\n]\n");
    EXPECT_EQ(removed("[exclusions.a]\n# words\npaths = [\"/x\"]\n", "a", path("/x")),
              "[exclusions.a]\n# words\npaths = []\n");
    const auto none = remove_exclusion("[exclusions.a]\npaths = [\"/x\"]\n", "a", path("/q"));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, EditRefusal::Kind::Unchanged);
    EXPECT_FALSE(remove_exclusion("", "a\n", path("/q")));
}

TEST(SourceText, FindsPlacesBehindCharactersOfSeveralBytes) {
    const std::string text = "\xef\xbb\xbf# ñandú\r\nk = [\"ñ\", 1]\n";
    EXPECT_EQ(text.substr(offset_of(text, {.line = 2, .column = 5})), "[\"ñ\", 1]\n");
    EXPECT_EQ(offset_of(text, {.line = 9, .column = 1}), text.size());
    const auto begin = offset_of(text, {.line = 2, .column = 5});
    EXPECT_EQ(text.substr(value_end(text, begin)), "\n");
}

TEST(SourceText, EndsOnAnyBytes) {
    for (const std::string_view text :
         {"[", "[[[", "[\"", "['''", "[\"\\", "{a=", "[,,]", "]", "#"}) {
        const auto list = read_list(text, 0);
        EXPECT_LE(list.close, text.size());
        EXPECT_LE(value_end(text, 0), text.size() + 1);
    }
}

}  // namespace
}  // namespace vigia::policy
