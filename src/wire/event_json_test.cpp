// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/event_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>
#include <set>
#include <string_view>

#include "base/text.h"

namespace vigia::wire {
namespace {

using Json = nlohmann::json;
using Pointer = Json::json_pointer;

constexpr const char* kEpoch = "0c7d2b0e-0000-4000-8000-000000000001";

EventFrame some_frame() {
    return {.sequence = 42,
            .epoch = kEpoch,
            .device_name = "host-1",
            .boot_id = "0c7d2b0e-0000-4000-8000-000000000002"};
}

// The rules of docs/EVENTS.md: what must be where, in events of which class (0: in all) and, where
// a class has several shapes, whose word begins how.
enum class Is : std::uint8_t { Integer, Text, List, Object, Bool };

struct Rule {
    int class_uid;
    const char* pointer;
    Is type;
    std::string_view word = {};
};

// A flow that met the block list is a finding without a file: it has rules of its own.
constexpr int kFlowFinding = 20041;

constexpr Rule kRules[] = {
    {0, "/time", Is::Integer},
    {0, "/time_dt", Is::Text},
    {0, "/class_uid", Is::Integer},
    {0, "/class_name", Is::Text},
    {0, "/category_uid", Is::Integer},
    {0, "/category_name", Is::Text},
    {0, "/activity_id", Is::Integer},
    {0, "/activity_name", Is::Text},
    {0, "/type_uid", Is::Integer},
    {0, "/type_name", Is::Text},
    {0, "/severity_id", Is::Integer},
    {0, "/severity", Is::Text},
    {0, "/status_id", Is::Integer},
    {0, "/status", Is::Text},
    {0, "/message", Is::Text},
    {0, "/metadata/uid", Is::Text},
    {0, "/metadata/version", Is::Text},
    {0, "/metadata/product/name", Is::Text},
    {0, "/metadata/product/vendor_name", Is::Text},
    {0, "/metadata/product/version", Is::Text},
    {0, "/metadata/sequence", Is::Integer},
    {0, "/metadata/log_name", Is::Text},
    {0, "/device/hostname", Is::Text},
    {0, "/device/type_id", Is::Integer},
    {0, "/vigia/event", Is::Text},
    {0, "/vigia/severity", Is::Text},
    {0, "/vigia/journal_epoch", Is::Text},
    {0, "/vigia/boot_id", Is::Text},
    {2004, "/finding_info/uid", Is::Text},
    {2004, "/finding_info/title", Is::Text},
    {2004, "/finding_info/types", Is::List},
    {2004, "/is_alert", Is::Bool},
    {2004, "/disposition_id", Is::Integer},
    {2004, "/disposition", Is::Text},
    {2004, "/action_id", Is::Integer},
    {2004, "/action", Is::Text},
    {2004, "/file/name", Is::Text},
    {2004, "/file/path", Is::Text},
    {2004, "/file/type_id", Is::Integer},
    {2004, "/file/size", Is::Integer},
    {2004, "/file/hashes", Is::List},
    {2004, "/malware", Is::List},
    {2004, "/malware/0/name", Is::Text},
    {2004, "/malware/0/classification_ids", Is::List},
    {2004, "/evidences/0/file/path", Is::Text},
    {2004, "/vigia/detection/action", Is::Text},
    {2004, "/vigia/detection/outcome", Is::Text},
    {2004, "/vigia/detection/names_removed", Is::List},
    {2004, "/vigia/detection/names_left", Is::List},
    {2004, "/vigia/detection/self_test", Is::Bool},
    {kFlowFinding, "/finding_info/uid", Is::Text},
    {kFlowFinding, "/finding_info/title", Is::Text},
    {kFlowFinding, "/disposition_id", Is::Integer},
    {kFlowFinding, "/action_id", Is::Integer},
    {kFlowFinding, "/is_alert", Is::Bool},
    {kFlowFinding, "/src_endpoint/ip", Is::Text},
    {kFlowFinding, "/dst_endpoint/ip", Is::Text},
    {kFlowFinding, "/connection_info/direction_id", Is::Integer},
    {kFlowFinding, "/evidences/0/process/pid", Is::Integer},
    {kFlowFinding, "/vigia/detection/ancestry", Is::List},
    {kFlowFinding, "/vigia/detection/action", Is::Text},
    {kFlowFinding, "/vigia/detection/outcome", Is::Text},
    {1007, "/actor/process/pid", Is::Integer},
    {1007, "/process/pid", Is::Integer},
    {1007, "/vigia/process/ancestry", Is::List},
    {1007, "/vigia/process/memory_file", Is::Bool},
    {4001, "/actor/process/pid", Is::Integer},
    {4001, "/src_endpoint/ip", Is::Text},
    {4001, "/dst_endpoint/ip", Is::Text},
    {4001, "/connection_info/direction_id", Is::Integer},
    {4001, "/connection_info/protocol_num", Is::Integer},
    {4001, "/vigia/flow/owner_source", Is::Text},
    {4001, "/vigia/flow/ancestry", Is::List},
    {4001, "/traffic/bytes_in", Is::Integer, "connection-closed"},
    {4001, "/traffic/bytes_out", Is::Integer, "connection-closed"},
    {6002, "/app/name", Is::Text},
    {6002, "/app/vendor_name", Is::Text},
    {6002, "/vigia/facts", Is::Object},
    {6007, "/scan/type_id", Is::Integer},
    {6007, "/num_files", Is::Integer},
    {6007, "/num_detections", Is::Integer},
    {6007, "/total", Is::Integer},
    {6007, "/vigia/scan/targets", Is::List},
    {6007, "/vigia/scan/bytes", Is::Integer},
    {6007, "/vigia/scan/errors", Is::Integer},
    {6008, "/vigia/dropped/reason", Is::Text, "events-dropped"},
    {6008, "/vigia/dropped/first", Is::Integer, "events-dropped"},
    {6008, "/vigia/dropped/last", Is::Integer, "events-dropped"},
    {6008, "/vigia/dropped/per_class", Is::Object, "events-dropped"},
    {6008, "/vigia/dropped/undelivered", Is::Integer, "events-dropped"},
    {6008, "/vigia/fault", Is::Object, "all-faults-cleared"},
    {6008, "/metadata/correlation_uid", Is::Text, "fault-"},
    {6008, "/vigia/fault/id", Is::Integer, "fault-"},
    {6008, "/vigia/fault/key", Is::Text, "fault-"},
    {6008, "/vigia/fault/title", Is::Text, "fault-"},
    {6008, "/vigia/fault/cause", Is::Text, "fault-"},
    {6008, "/vigia/fault/raised_at", Is::Text, "fault-"},
    {6008, "/vigia/fault/flapping", Is::Bool, "fault-"},
    {6008, "/vigia/fault/recovered", Is::Bool, "fault-"},
    {6008, "/vigia/fault/evidence", Is::Object, "fault-"},
    {6008, "/vigia/fault/severity_before", Is::Text, "fault-updated"},
    {6008, "/vigia/fault/cause_before", Is::Text, "fault-updated"},
    {6008, "/vigia/fault/cleared_because", Is::Text, "fault-cleared"},
};

bool matches(const Json& value, Is type) {
    switch (type) {
        case Is::Integer:
            return value.is_number_integer();
        case Is::Text:
            return value.is_string();
        case Is::List:
            return value.is_array();
        case Is::Object:
            return value.is_object();
        case Is::Bool:
            return value.is_boolean();
    }
    return false;
}

// Which activities a class may have, as the OCSF schema numbers them.
const std::set<int>& activities_of(int uid) {
    static const std::map<int, std::set<int>> kAllowed{{1007, {1, 2}},
                                                       {2004, {1, 2}},
                                                       {4001, {1, 2, 4}},
                                                       {6002, {3, 4, 8, 99}},
                                                       {6007, {1, 2, 6, 99}},
                                                       {6008, {1, 99}}};
    return kAllowed.at(uid);
}

void expect_valid(const std::string& line, const Event& event) {
    for (const char byte : line) {
        ASSERT_TRUE(byte >= 0x20 && byte < 0x7f) << "not printable ASCII: " << printable(line);
    }
    const auto json = Json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line;
    const int uid = class_uid(event);
    const auto word = json["vigia"].value("event", "");
    const int rules = word.starts_with("flow-") ? kFlowFinding : uid;
    for (const auto& rule : kRules) {
        if (rule.class_uid == 0 || (rule.class_uid == rules && word.starts_with(rule.word))) {
            const Pointer at(rule.pointer);
            ASSERT_TRUE(json.contains(at)) << rule.pointer << " missing in " << line;
            EXPECT_TRUE(matches(json[at], rule.type)) << rule.pointer << " in " << line;
        }
    }
    EXPECT_EQ(json["class_uid"], uid);
    EXPECT_EQ(json["category_uid"], uid / 1000);
    EXPECT_EQ(json["type_uid"], uid * 100 + json["activity_id"].get<int>());
    EXPECT_TRUE(activities_of(uid).contains(json["activity_id"].get<int>())) << line;
    EXPECT_EQ(json["metadata"]["uid"], event.uid.text);
    EXPECT_EQ(json["metadata"]["sequence"], 42);
    EXPECT_EQ(json["vigia"]["journal_epoch"], kEpoch);
}

FileFacts some_file() {
    return {.path = "/srv/a/b.exe", .sha256 = Sha256::parse(std::string(64, 'c')), .size = 68};
}

FaultBody some_fault(FaultPhase phase) {
    if (phase == FaultPhase::AllCleared) {
        return {.phase = phase};
    }
    FaultBody body{.phase = phase,
                   .id = 5,
                   .key = "scan-service-user-unavailable",
                   .title = "Scan service user unavailable",
                   .cause = "perm-changed",
                   .evidence = Evidence::Members{{"path", "/var/lib/vigia"}, {"count", 1}},
                   .raised_at = WallTime{std::chrono::seconds{1'795'375'200}},
                   .recovered = phase == FaultPhase::Raised};
    if (phase == FaultPhase::Updated) {
        body.severity_before = "major";
        body.cause_before = "user-missing";
    }
    if (phase == FaultPhase::Cleared) {
        body.cleared_because = "condition-gone";
    }
    return body;
}

ProcessLine some_process() {
    return {.process = {.pid = 12,
                        .name = "curl",
                        .path = "/usr/bin/curl",
                        .command_line = "curl --user *** https://x",
                        .uid = 1000,
                        .user = "ana"},
            .ancestors = {{.pid = 11, .name = "sh", .path = "/bin/sh"}, {.pid = 1}}};
}

FlowFacts some_flow() {
    return {.owner = some_process(),
            .owner_source = OwnerSource::Caller,
            .direction = FlowDirection::In,
            .protocol = 6,
            .local = {.address = *parse_address("192.0.2.1"), .port = 443},
            .remote = {.address = *parse_address("2001:db8::7"), .port = 50000},
            .id = 77};
}

std::vector<Event> one_of_each() {
    std::vector<Event> events;
    const auto add = [&](EventBody body) {
        events.push_back({.correlation = Uuid::random(),
                          .severity = static_cast<Severity>(events.size() % 4),
                          .time = WallTime{std::chrono::nanoseconds{1'795'375'200'123'456'789}},
                          .message = "Something happened.",
                          .body = std::move(body)});
    };
    for (int phase = 0; phase <= static_cast<int>(DetectionPhase::InExclusion); ++phase) {
        add(DetectionBody{.phase = static_cast<DetectionPhase>(phase),
                          .file = some_file(),
                          .threat = "Eicar",
                          .names_removed = {"/srv/a/b.exe"},
                          .pid = 7,
                          .program = "/usr/bin/cp"});
        add(DetectionBody{.phase = static_cast<DetectionPhase>(phase), .file = {}, .threat = ""});
    }
    for (int phase = 0; phase <= static_cast<int>(ScanPhase::Unscannable); ++phase) {
        add(ScanBody{.phase = static_cast<ScanPhase>(phase), .scan_id = "s1", .targets = {"/srv"}});
        add(ScanBody{.phase = static_cast<ScanPhase>(phase), .file = some_file()});
    }
    for (int action = 0; action <= static_cast<int>(ServiceAction::AddressesLoaded); ++action) {
        add(ServiceBody{.action = static_cast<ServiceAction>(action), .facts = {{"a", "b"}}});
    }
    add(EventsDroppedBody{.first = 1, .last = 9, .per_class = {{"2004", 2}, {"6002", 5}}});
    add(EventsDroppedBody{});
    for (int phase = 0; phase <= static_cast<int>(FaultPhase::AllCleared); ++phase) {
        add(some_fault(static_cast<FaultPhase>(phase)));
    }
    for (const auto phase : {ProcessPhase::Launched, ProcessPhase::Terminated}) {
        add(ProcessBody{.phase = phase, .who = some_process()});
        add(ProcessBody{.phase = phase});
    }
    for (const auto phase : {NetworkPhase::Opened, NetworkPhase::Failed, NetworkPhase::Closed}) {
        add(NetworkBody{.phase = phase, .flow = some_flow()});
        add(NetworkBody{.phase = phase});
    }
    for (const bool refused : {false, true}) {
        add(FlowDetectionBody{.flow = some_flow(), .refused = refused, .action = "audit"});
    }
    return events;
}

TEST(EventJson, ObeysTheRulesOfTheDocumentForEveryKindOfEvent) {
    for (const auto& event : one_of_each()) {
        expect_valid(to_json(event, some_frame()), event);
    }
}

TEST(EventJson, GivesEveryKindItsOwnWord) {
    std::set<std::pair<std::string, std::size_t>> seen;
    for (const auto& event : one_of_each()) {
        const auto json = Json::parse(to_json(event, some_frame()));
        EXPECT_NE(json["vigia"]["event"], "unknown");
        seen.emplace(json["vigia"]["event"], event.body.index());
    }
    EXPECT_EQ(seen.size(), 5U + 4U + 18U + 1U + 4U + 2U + 3U + 2U);
}

TEST(EventJson, TellsADetectionWithEverythingThatIsKnown) {
    const Event event{.correlation = Uuid{"corr"},
                      .severity = Severity::Critical,
                      .time = WallTime{std::chrono::milliseconds{1'795'375'200'123}},
                      .message = "Quarantined.",
                      .body = DetectionBody{.phase = DetectionPhase::Quarantined,
                                            .file = some_file(),
                                            .threat = "Eicar-Test",
                                            .action = "quarantine",
                                            .outcome = "names-left",
                                            .quarantine_id = "q1",
                                            .names_removed = {"/srv/a/b.exe"},
                                            .names_left = {"/mnt/x"},
                                            .pid = 12,
                                            .program = "/usr/bin/cp"}};
    const auto json = Json::parse(to_json(event, some_frame()));
    EXPECT_EQ(json["time"], 1'795'375'200'123);
    EXPECT_EQ(json["severity_id"], 5);
    EXPECT_EQ(json["severity"], "Critical");
    EXPECT_EQ(json["metadata"]["correlation_uid"], "corr");
    EXPECT_EQ(json["finding_info"]["uid"], "corr");
    EXPECT_EQ(json["finding_info"]["types"], Json::array({"Malware"}));
    EXPECT_EQ(json["file"]["name"], "b.exe");
    EXPECT_EQ(json["file"]["hashes"][0]["algorithm_id"], 3);
    EXPECT_EQ(json["file"]["hashes"][0]["value"], std::string(64, 'c'));
    EXPECT_EQ(json["malware"][0]["name"], "Eicar-Test");
    EXPECT_EQ(json["malware"][0]["classification_ids"], Json::array({0}));
    EXPECT_EQ(json["disposition"], "Quarantined");
    EXPECT_EQ(json["evidences"][0]["process"]["pid"], 12);
    EXPECT_EQ(json["evidences"][0]["process"]["file"]["name"], "cp");
    EXPECT_EQ(json["vigia"]["event"], "threat-quarantined");
    EXPECT_EQ(json["vigia"]["detection"]["quarantine_id"], "q1");
    EXPECT_EQ(json["vigia"]["detection"]["names_left"][0], "/mnt/x");
    EXPECT_FALSE(json["vigia"]["detection"].contains("names_left_base64"));
    EXPECT_FALSE(json["file"].contains("path_base64"));
}

TEST(EventJson, TellsWhoTalksToWhomWithTheOneThatBeganFirst) {
    const Event event{.message = "m",
                      .body = NetworkBody{.phase = NetworkPhase::Closed,
                                          .flow = some_flow(),
                                          .bytes_sent = 7,
                                          .bytes_received = 10,
                                          .duration = std::chrono::milliseconds{1500}}};
    const auto json = Json::parse(to_json(event, some_frame()));
    EXPECT_EQ(json["type_uid"], 400102);
    EXPECT_EQ(json["src_endpoint"], (Json{{"ip", "2001:db8::7"}, {"port", 50000}}));
    EXPECT_EQ(json["dst_endpoint"], (Json{{"ip", "192.0.2.1"}, {"port", 443}}));
    EXPECT_EQ(json["connection_info"]["direction"], "Inbound");
    EXPECT_EQ(json["traffic"], (Json{{"bytes", 17}, {"bytes_out", 7}, {"bytes_in", 10}}));
    EXPECT_EQ(json["duration"], 1500);
    EXPECT_EQ(json["actor"]["process"]["file"]["path"], "/usr/bin/curl");
    EXPECT_EQ(json["actor"]["process"]["user"], (Json{{"uid", "1000"}, {"name", "ana"}}));
    EXPECT_EQ(json["actor"]["process"]["parent_process"]["name"], "sh");
    EXPECT_EQ(json["vigia"]["flow"]["ancestry"][1]["pid"], 1);
}

TEST(EventJson, TellsAFaultWithItsEvidenceAndWhatItWasBefore) {
    const Event updated{.correlation = Uuid{"episode"},
                        .severity = Severity::Critical,
                        .message = "m",
                        .body = some_fault(FaultPhase::Updated)};
    const auto json = Json::parse(to_json(updated, some_frame()));
    EXPECT_EQ(json["type_uid"], 600899);
    EXPECT_EQ(json["activity_name"], "Fault Updated");
    EXPECT_EQ(json["metadata"]["correlation_uid"], "episode");
    const auto& fault = json["vigia"]["fault"];
    EXPECT_EQ(fault["id"], 5);
    EXPECT_EQ(fault["cause_before"], "user-missing");
    EXPECT_EQ(fault["severity_before"], "major");
    EXPECT_EQ(fault["raised_at"], "2026-11-22T19:20:00.000Z");
    EXPECT_EQ(fault["evidence"], (Json{{"path", "/var/lib/vigia"}, {"count", 1}}));
    EXPECT_FALSE(fault.contains("cleared_because"));
    const Event all{.message = "m", .body = some_fault(FaultPhase::AllCleared)};
    EXPECT_EQ(Json::parse(to_json(all, some_frame()))["vigia"]["fault"], Json::object());
}

TEST(EventJson, KeepsTheExactBytesOfANameThatIsNoUtf8) {
    const std::string path = "/srv/\xff\n\x1b[2J\xe2\x80\xae.exe";
    const Event event{.message = "m",
                      .body = DetectionBody{.file = {.path = path, .sha256 = {}, .size = 0},
                                            .threat = "T",
                                            .names_left = {"/ok", "/\x80"}}};
    const auto line = to_json(event, some_frame());
    expect_valid(line, event);
    const auto json = Json::parse(line);
    EXPECT_EQ(json["file"]["path"], utf8_lossy(path));
    EXPECT_EQ(json["file"]["path_base64"], base64(path));
    EXPECT_EQ(json["vigia"]["detection"]["names_left_base64"],
              Json::array({base64("/ok"), base64("/\x80")}));
}

TEST(EventJson, KeepsAValidNameExactlyWithControlCharactersAndAll) {
    const std::string path = "/srv/ñ\n\t\x7f\u0085\u2028\"\\";
    const Event event{.message = "m", .body = ScanBody{.targets = {path}}};
    const auto json = Json::parse(to_json(event, some_frame()));
    EXPECT_EQ(json["vigia"]["scan"]["targets"][0], path);
    EXPECT_FALSE(json["vigia"]["scan"].contains("targets_base64"));
}

TEST(EventJson, SaysThatNobodyKnowsHowManyWereDropped) {
    const Event event{.message = "m", .body = EventsDroppedBody{.reason = "unclean-stop"}};
    const auto json = Json::parse(to_json(event, some_frame()));
    EXPECT_TRUE(json["vigia"]["dropped"]["count"].is_null());
    const Event counted{.message = "m",
                        .body = EventsDroppedBody{.per_class = {{"6002", 2}, {"2004", 1}}}};
    EXPECT_EQ(Json::parse(to_json(counted, some_frame()))["vigia"]["dropped"]["count"], 3);
}

// Any bytes, in any string of any event.
class RandomBytes {
public:
    std::string text() {
        std::string bytes(static_cast<std::size_t>(number_(random_) % 40), '\0');
        for (auto& byte : bytes) {
            byte = static_cast<char>(number_(random_));
        }
        return bytes;
    }

    FileFacts file() { return {.path = text(), .sha256 = {}, .size = 1}; }

    EventBody body(int which) {
        switch (which % 5) {
            case 0:
                return DetectionBody{.file = file(),
                                     .threat = text(),
                                     .action = text(),
                                     .outcome = text(),
                                     .quarantine_id = text(),
                                     .names_removed = {text(), text()},
                                     .names_left = {text()},
                                     .exclusion = text(),
                                     .program = text()};
            case 1:
                return ScanBody{.scan_id = text(),
                                .targets = {text(), text()},
                                .file = file(),
                                .reason = text()};
            case 2:
                return ServiceBody{.facts = {{text(), text()}, {text(), text()}}};
            case 3: {
                auto fault = some_fault(FaultPhase::Updated);
                fault.title = text();
                fault.cause = text();
                fault.cause_before = "x" + text();
                fault.evidence =
                    Evidence::Members{{"path", text()}, {"list", Evidence::List{text(), text()}}};
                return fault;
            }
            default:
                return EventsDroppedBody{
                    .per_class = {{text(), 1}}, .reason = text(), .epoch = text()};
        }
    }

private:
    std::mt19937 random_{11};  // the same cases each run
    std::uniform_int_distribution<int> number_{0, 255};
};

TEST(EventJson, IsValidForAnyBytesInAnyString) {
    RandomBytes bytes;
    for (int round = 0; round < 4000; ++round) {
        const Event event{
            .correlation = Uuid{"c"}, .message = bytes.text(), .body = bytes.body(round)};
        const EventFrame frame{.sequence = 42,
                               .epoch = kEpoch,
                               .device_name = bytes.text(),
                               .boot_id = bytes.text(),
                               .device_uid = bytes.text()};
        ASSERT_NO_FATAL_FAILURE(expect_valid(to_json(event, frame), event));
    }
}

}  // namespace
}  // namespace vigia::wire
