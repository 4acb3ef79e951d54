// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/status_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace vigia::wire {
namespace {

using nlohmann::json;

void expect_keys(const json& object, std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
        EXPECT_TRUE(object.contains(key)) << key;
    }
}

TEST(StatusJson, HasEveryKeyOfTheContractAlsoWhenNothingIsKnownYet) {
    Status status;
    status.monitors.push_back({.name = "files"});
    status.accounting.push_back({.cls = "file"});
    const auto out = json::parse(to_json(status, "1.2.3"));
    expect_keys(out,
                {"state", "since", "version", "mode", "policy", "monitors", "scan", "definitions",
                 "accounting", "faults", "selftest"});
    EXPECT_EQ(out["version"], "1.2.3");
    expect_keys(out["policy"], {"name", "serial", "valid"});
    expect_keys(out["monitors"][0], {"name", "wanted", "state", "backend", "detail"});
    expect_keys(out["scan"],
                {"state", "user", "workers", "pending", "deferred", "files_scanned", "detections",
                 "last_scan"});
    expect_keys(out["definitions"], {"generation", "built", "signatures", "age_seconds"});
    expect_keys(out["accounting"][0],
                {"class", "exact", "offered", "delivered", "filtered", "deferred", "lost",
                 "overflows", "recovered"});
    EXPECT_TRUE(out["accounting"][0]["filtered"].is_object());
    EXPECT_TRUE(out["scan"]["last_scan"].is_null());
    EXPECT_TRUE(out["faults"].is_array());
}

TEST(StatusJson, AnOverflowHasNoCount) {
    Status status;
    status.accounting.push_back({.cls = "file", .lost = std::nullopt, .overflows = 1});
    EXPECT_TRUE(json::parse(to_json(status, ""))["accounting"][0]["lost"].is_null());
}

TEST(ScanJobJson, GivesTheExactBytesOfNamesThatAreNoUtf8) {
    ScanJob job{.id = "x", .targets = {}};
    job.detections.push_back({.path = "/a/\xff", .threat = "T", .action = "reported"});
    job.errors.push_back({.path = "/new\nline", .reason = "r"});
    const auto out = json::parse(to_json(job));
    expect_keys(out, {"id", "state", "files", "bytes", "detections", "errors", "unscannable"});
    expect_keys(out["detections"][0], {"path", "detection", "action"});
    EXPECT_EQ(out["detections"][0]["path_base64"], base64("/a/\xff"));
    EXPECT_EQ(out["errors"][0]["path"], "/new\nline");
    EXPECT_FALSE(out["errors"][0].contains("path_base64"));
}

TEST(QuarantineJson, ListsItemsWithTheKeysOfTheContract) {
    const auto out = json::parse(to_json(std::vector<QuarantineItem>(1)));
    ASSERT_EQ(out["items"].size(), 1U);
    expect_keys(out["items"][0], {"id", "path", "sha256", "size", "detection", "quarantined_at"});
    EXPECT_EQ(json::parse(to_json(std::vector<QuarantineItem>{}))["items"].size(), 0U);
}

TEST(SelfTestJson, ListsTheStagesInOrder) {
    const SelfTestReport report{.ok = true, .stages = {{.name = "write", .ok = true}, {.name = "event"}}};
    const auto out = json::parse(to_json(report));
    EXPECT_TRUE(out["ok"].get<bool>());
    expect_keys(out["stages"][0], {"name", "ok", "milliseconds", "detail"});
    EXPECT_EQ(out["stages"][1]["name"], "event");
}

}  // namespace
}  // namespace vigia::wire
