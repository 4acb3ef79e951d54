// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/prometheus_text.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace vigia::metrics {
namespace {

Status some_status() {
    Status status;
    status.state = "degraded";
    status.monitors.push_back(
        {.name = "files", .wanted = true, .state = "ok", .backend = "fanotify-fid"});
    status.monitors.push_back({.name = "network"});
    status.accounting.push_back({.cls = "file",
                                 .offered = 7,
                                 .delivered = 5,
                                 .filtered = {{"own", 2}},
                                 .lost = std::nullopt,
                                 .overflows = 1});
    status.accounting.push_back({.cls = "exec", .exact = true, .offered = 3, .delivered = 3});
    status.faults.push_back({.id = 5,
                             .key = "scan-user",
                             .severity = Severity::Major,
                             .title = {},
                             .cause = "user-missing",
                             .description = {},
                             .evidence = {},
                             .lost_capability = {},
                             .remedy = {}});
    return status;
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(PrometheusText, TellsStateFaultsAndCounters) {
    const auto text = to_prometheus(some_status(), {.journal_ok = true}, "1.2");
    EXPECT_TRUE(has_line(text, R"(vigia_state{state="degraded"} 1)")) << text;
    EXPECT_TRUE(has_line(text, R"(vigia_state{state="protected"} 0)")) << text;
    EXPECT_TRUE(has_line(
        text,
        R"(vigia_fault_active{id="5",key="scan-user",severity="major",cause="user-missing"} 1)"))
        << text;
    EXPECT_TRUE(has_line(text, R"(vigia_events_offered_total{class="file"} 7)")) << text;
    EXPECT_TRUE(has_line(text, R"(vigia_events_filtered_total{class="file",reason="own"} 2)"))
        << text;
}

TEST(PrometheusText, LeavesOutWhatIsNotKnown) {
    const auto text = to_prometheus(some_status(), {}, "1.2");
    EXPECT_EQ(text.find(R"(vigia_events_lost_total{class="file"})"), std::string::npos) << text;
    EXPECT_TRUE(has_line(text, R"(vigia_events_lost_total{class="exec"} 0)")) << text;
    EXPECT_TRUE(has_line(text, "vigia_load_level 0")) << text;
    EXPECT_TRUE(has_line(text, R"(vigia_catch_up{state="none"} 1)")) << text;
    EXPECT_TRUE(has_line(text, "vigia_events_tainted 0")) << text;
    EXPECT_EQ(text.find("vigia_definitions_age_seconds"), std::string::npos);
    EXPECT_EQ(text.find("vigia_selftest_ok"), std::string::npos);
}

TEST(PrometheusText, EachNameIsDescribedOnceAndItsSeriesStandTogether) {
    std::istringstream lines(to_prometheus(some_status(), {}, "1.2"));
    std::set<std::string> described;
    std::string family;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# HELP ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            EXPECT_TRUE(described.insert(family).second) << family << " is described twice";
        } else if (!line.starts_with("#")) {
            EXPECT_EQ(line.substr(0, line.find_first_of("{ ")), family) << line;
        }
    }
    EXPECT_GT(described.size(), 20U);
}

}  // namespace
}  // namespace vigia::metrics
