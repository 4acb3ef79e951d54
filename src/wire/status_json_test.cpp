// SPDX-License-Identifier: GPL-2.0-or-later
// The contract: keys that programs outside this repository read.
#include "wire/status_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace vigia::wire {
namespace {

using Json = nlohmann::json;
using namespace std::chrono;
using testing::ElementsAre;

constexpr WallTime kNow{sys_days{year{2026} / November / 22} + hours{19} + milliseconds{7}};
constexpr std::string_view kBadName = "/tmp/\xff\n\x1b[2J";

void expect_keys(const Json& json, const std::vector<std::string>& keys) {
    for (const auto& key : keys) {
        EXPECT_TRUE(json.contains(key)) << key << " in " << json.dump();
    }
}

Status full_status() {
    Status status;
    status.state = "degraded";
    status.state_reason = "one file system is not watched";
    status.since = kNow;
    status.policy_name = "Protect";
    status.policy_serial = 7;
    status.policy_source = "/etc/vigia/policy.toml";
    MonitorStatus files{.name = "files",
                        .wanted = true,
                        .state = "partial",
                        .backend = "fanotify-fid",
                        .detail = "2 of 3"};
    files.places.push_back({.path = std::string(kBadName), .type = "btrfs", .state = "unwatched"});
    status.monitors = {files, {.name = "network"}};
    status.scan.state = "ready";
    status.scan.user = "vigia-scan";
    status.scan.workers = 2;
    status.scan.files_scanned = std::uint64_t{1} << 60U;
    status.definitions.generation = "0123456789abcdef";
    status.definitions.signatures = 2;
    status.definitions.sources.push_back({.kind = "builtin", .path = "", .files = 1});
    Accounting file{.cls = "file", .exact = false, .offered = 5, .delivered = 3};
    file.filtered["excluded"] = 2;
    file.lost.reset();
    file.overflows = 1;
    status.accounting = {file, {.cls = "exec", .exact = true}};
    return status;
}

TEST(StatusJson, HasEveryKeyOfTheContract) {
    const auto json = Json::parse(to_json(full_status(), "0.1.0"));
    expect_keys(json,
                {"state",
                 "since",
                 "version",
                 "mode",
                 "policy",
                 "monitors",
                 "scan",
                 "definitions",
                 "accounting",
                 "faults"});
    expect_keys(json["policy"], {"name", "serial", "valid"});
    for (const auto& monitor : json["monitors"]) {
        expect_keys(monitor, {"name", "wanted", "state", "backend", "detail"});
    }
    expect_keys(json["scan"],
                {"state",
                 "user",
                 "workers",
                 "pending",
                 "deferred",
                 "files_scanned",
                 "detections",
                 "last_scan"});
    expect_keys(json["definitions"], {"generation", "built", "signatures", "age_seconds"});
    for (const auto& accounting : json["accounting"]) {
        expect_keys(accounting,
                    {"class",
                     "exact",
                     "offered",
                     "delivered",
                     "filtered",
                     "deferred",
                     "lost",
                     "overflows",
                     "recovered"});
    }
    EXPECT_TRUE(json["faults"].is_array());
    expect_keys(json["load"], {"level", "reason", "since", "events_per_second", "ring_percent"});
    expect_keys(json["load"]["events_per_second"], {"offered", "delivered", "deferred"});
    expect_keys(json["catch_up"],
                {"state", "since", "files_found", "folders_walked", "without_ctime"});
    EXPECT_EQ(json["catch_up"]["state"], "none");
    EXPECT_TRUE(json["catch_up"]["share"].is_null());
    EXPECT_TRUE(json["catch_up"]["tainted_since"].is_null());
}

TEST(StatusJson, ValuesHaveTheirTypesAndTimesAreUtc) {
    const auto json = Json::parse(to_json(full_status(), "0.1.0"));
    EXPECT_EQ(json["since"], "2026-11-22T19:00:00.007Z");
    EXPECT_EQ(json["version"], "0.1.0");
    EXPECT_EQ(json["policy"]["serial"], 7);
    EXPECT_EQ(json["policy"]["valid"], true);
    EXPECT_EQ(json["monitors"][0]["backend"], "fanotify-fid");
    EXPECT_EQ(json["scan"]["workers"], 2);
    EXPECT_EQ(json["scan"]["files_scanned"], std::uint64_t{1} << 60U);
    EXPECT_TRUE(json["scan"]["last_scan"].is_null());
    EXPECT_TRUE(json["definitions"]["built"].is_null());
    EXPECT_TRUE(json["definitions"]["age_seconds"].is_null());
    EXPECT_TRUE(json["selftest"].is_null());
    EXPECT_EQ(json["accounting"][0]["filtered"], Json({{"excluded", 2}}));
    EXPECT_TRUE(json["accounting"][0]["lost"].is_null());
    EXPECT_EQ(json["accounting"][1]["lost"], 0);
    EXPECT_TRUE(json["accounting"][1]["filtered"].is_object());
}

TEST(StatusJson, WhatIsKnownIsSaid) {
    auto status = full_status();
    status.scan.last_scan = kNow;
    status.definitions.built = kNow;
    status.definitions.age_seconds = 60;
    status.self_test = SelfTestReport{.ok = true, .at = kNow};
    const auto json = Json::parse(to_json(status, "0.1.0"));
    EXPECT_EQ(json["scan"]["last_scan"], "2026-11-22T19:00:00.007Z");
    EXPECT_EQ(json["definitions"]["built"], "2026-11-22T19:00:00.007Z");
    EXPECT_EQ(json["definitions"]["age_seconds"], 60);
    EXPECT_EQ(json["selftest"]["ok"], true);
}

TEST(StatusJson, PathsThatAreNotTextStandBesideThemselvesExactly) {
    const auto json = Json::parse(to_json(full_status(), "0.1.0"));
    const auto& place = json["monitors"][0]["places"][0];
    EXPECT_EQ(place["path"], utf8_lossy(kBadName));
    EXPECT_EQ(place["path_base64"], base64(kBadName));
    EXPECT_FALSE(json["policy"].contains("source_base64"));
}

// A detail may quote a file name; the document stays valid whatever stands in it.
TEST(StatusJson, AnyBytesInAnyTextGiveAValidDocument) {
    const std::string bad("\xc3\x28\0\xff", 4);
    Status status;
    status.state = status.state_reason = status.mode = status.policy_name = bad;
    status.policy_source = status.policy_errors = status.exec_gate = bad;
    status.monitors.push_back({.name = bad, .state = bad, .backend = bad, .detail = bad});
    status.scan.detail = status.scan.user = bad;
    status.definitions.generation = bad;
    status.accounting.push_back({.cls = bad, .filtered = {{bad, 1}}});
    const auto text = to_json(status, bad);
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_FALSE(text.contains('\n'));
    EXPECT_FALSE(Json::parse(text, nullptr, false).is_discarded());
}

TEST(SelfTestJson, HasItsStages) {
    const SelfTestReport report{.ok = false,
                                .at = kNow,
                                .place = "/srv",
                                .stages = {{.name = "write", .ok = true, .milliseconds = 0.25},
                                           {.name = "event", .detail = "no event in 5 s"}}};
    const auto json = Json::parse(to_json(report));
    EXPECT_EQ(json["ok"], false);
    ASSERT_EQ(json["stages"].size(), 2U);
    for (const auto& stage : json["stages"]) {
        expect_keys(stage, {"name", "ok", "milliseconds", "detail"});
    }
    EXPECT_DOUBLE_EQ(json["stages"][0]["milliseconds"].get<double>(), 0.25);
    EXPECT_EQ(json["stages"][1]["detail"], "no event in 5 s");
}

TEST(ScanJson, HasEveryKeyOfTheContractAndTheExactNames) {
    ScanJob job{.id = "7", .targets = {"/srv", std::string(kBadName)}, .started = kNow};
    job.files = 44;
    job.bytes = 23936;
    job.detections.push_back(
        {.path = std::string(kBadName), .threat = "T", .action = "quarantined"});
    job.errors.push_back({.path = "/gone", .reason = "read-error"});
    job.unscannable.push_back({.path = "/big", .reason = "too-large"});
    job.detections_total = 20'000;
    const auto json = Json::parse(to_json(job));
    expect_keys(json, {"id", "state", "files", "bytes", "detections", "errors", "unscannable"});
    EXPECT_EQ(json["files"], 44);
    EXPECT_TRUE(json["ended"].is_null());
    EXPECT_EQ(json["targets_base64"], Json({base64("/srv"), base64(kBadName)}));
    const auto& detection = json["detections"][0];
    expect_keys(detection, {"path", "detection", "action"});
    EXPECT_EQ(detection["detection"], "T");
    EXPECT_EQ(detection["path_base64"], base64(kBadName));
    EXPECT_TRUE(detection["sha256"].is_null());
    EXPECT_EQ(json["errors"][0]["reason"], "read-error");
    EXPECT_EQ(json["unscannable"][0]["path"], "/big");
    EXPECT_EQ(json["detections_total"], 20'000);
    const auto list = Json::parse(to_json(std::vector{job, job}));
    EXPECT_EQ(list["items"].size(), 2U);
}

TEST(QuarantineJson, HasEveryKeyOfTheContractAndNoInnerDetails) {
    const QuarantineItem item{.id = "u",
                              .state = QuarantineState::Quarantined,
                              .path = std::string(kBadName),
                              .sha256 = {},
                              .size = 68,
                              .threat = "Eicar-Test-Signature",
                              .mode = 0104755,
                              .uid = 1000,
                              .mtime_ns = 1'000'000'000,
                              .xattrs = {{"user.note", "\xff"}},
                              .names_removed = {"/a", "/b"},
                              .quarantined_at = kNow};
    const auto list = Json::parse(to_json(std::vector{item}));
    ASSERT_EQ(list["items"].size(), 1U);
    const auto& json = list["items"][0];
    expect_keys(json, {"id", "path", "sha256", "size", "detection", "quarantined_at"});
    EXPECT_EQ(json["sha256"], std::string(64, '0'));
    EXPECT_EQ(json["detection"], "Eicar-Test-Signature");
    EXPECT_EQ(json["quarantined_at"], "2026-11-22T19:00:00.007Z");
    EXPECT_EQ(json["path_base64"], base64(kBadName));
    EXPECT_EQ(json["state"], "quarantined");
    EXPECT_EQ(json["mode"], "4755");
    EXPECT_EQ(json["modified_at"], "1970-01-01T00:00:01.000Z");
    EXPECT_EQ(json["xattrs"], Json({"user.note"}));
    EXPECT_EQ(json["names_removed"], Json({"/a", "/b"}));
    EXPECT_FALSE(json.contains("object_handle"));
    EXPECT_EQ(Json::parse(to_json(std::vector<QuarantineItem>{}))["items"], Json::array());
    EXPECT_EQ(Json::parse(to_json(item)), json);
}

TEST(DefinitionsJson, StandsAloneAsInTheStatus) {
    const auto status = full_status();
    EXPECT_EQ(Json::parse(to_json(status.definitions)),
              Json::parse(to_json(status, "0.1.0"))["definitions"]);
}

}  // namespace
}  // namespace vigia::wire
