// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/fault_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "wire/evidence_json.h"

namespace vigia::wire {
namespace {

Episode sample() {
    return {.id = 5,
            .key = "scan-service-user-unavailable",
            .severity = Severity::Critical,
            .cause = "perm-changed",
            .evidence = Evidence::Members{{"path", "/srv/\xff"},
                                          {"count", 3},
                                          {"ok", true},
                                          {"list", Evidence::List{"a", "b"}}},
            .raised_at = WallTime{std::chrono::seconds{1000}},
            .updated_at = WallTime{std::chrono::seconds{1001}},
            .cleared_at = WallTime{std::chrono::seconds{1002}},
            .cleared_because = "healed",
            .flapping = true,
            .heal_attempts = 2,
            .heal_last_result = "done"};
}

TEST(EpisodeRecord, GivesBackWhatWasWritten) {
    const auto before = sample();
    const auto after = parse_episode_record(to_record(before));
    ASSERT_TRUE(after.has_value());
    EXPECT_EQ(after->id, before.id);
    EXPECT_EQ(after->key, before.key);
    EXPECT_EQ(after->episode, before.episode);
    EXPECT_EQ(after->severity, before.severity);
    EXPECT_EQ(after->cause, before.cause);
    EXPECT_EQ(after->raised_at, before.raised_at);
    EXPECT_EQ(after->cleared_at, before.cleared_at);
    EXPECT_EQ(after->cleared_because, before.cleared_because);
    EXPECT_TRUE(after->flapping);
    EXPECT_EQ(after->heal_attempts, 2U);
    ASSERT_NE(after->evidence.find("count"), nullptr);
    EXPECT_EQ(*after->evidence.find("count"), Evidence(3));
}

TEST(EpisodeRecord, RefusesWhatIsNone) {
    for (const char* bad :
         {"", "[]", "{}", "{\"id\":5}", "{\"id\":0,\"episode\":\"x\"}", "nonsense"}) {
        EXPECT_FALSE(parse_episode_record(bad).has_value()) << bad;
    }
}

TEST(EvidenceJson, KeepsTheExactBytesOfATextThatIsNoUtf8) {
    const auto json = evidence_json(sample().evidence);
    EXPECT_EQ(json["path"], "/srv/\xef\xbf\xbd");
    EXPECT_EQ(json["path_base64"], "L3Nydi//");
    EXPECT_FALSE(json.contains("list_base64"));
    EXPECT_EQ(json.begin().key(), "path") << "in the order of the evidence";
}

TEST(History, HasTheKeysOfTheContract) {
    auto open = sample();
    open.cleared_at.reset();
    open.cleared_because.clear();
    const std::vector<Episode> episodes{sample(), open};
    const auto json = nlohmann::json::parse(history_json(episodes));
    ASSERT_EQ(json["episodes"].size(), 2U);
    for (const char* key : {"id",
                            "key",
                            "episode",
                            "raised_at",
                            "cleared_at",
                            "severity",
                            "cause",
                            "cleared_because"}) {
        EXPECT_TRUE(json["episodes"][0].contains(key)) << key;
    }
    EXPECT_TRUE(json["episodes"][1]["cleared_at"].is_null());
}

}  // namespace
}  // namespace vigia::wire
