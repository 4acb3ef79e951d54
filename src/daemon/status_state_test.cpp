// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/status_state.h"

#include <gtest/gtest.h>

namespace vigia::daemon {
namespace {

Status healthy() {
    Status status;
    status.scan.state = "ready";
    status.self_test = SelfTestReport{.ok = true};
    status.monitors.push_back({.name = "files", .wanted = true, .state = "ok"});
    return status;
}

TEST(OverallState, IsProtectedOnlyAfterASelfTestHasPassed) {
    auto status = healthy();
    EXPECT_EQ(overall_state(status).first, "protected");
    status.self_test.reset();
    EXPECT_EQ(overall_state(status).first, "starting");
}

TEST(OverallState, NamesTheStageWhereTheSelfTestFailed) {
    auto status = healthy();
    status.self_test = SelfTestReport{.stages = {{.name = "write", .ok = true}, {.name = "event"}}};
    const auto [state, why] = overall_state(status);
    EXPECT_EQ(state, "unprotected");
    EXPECT_NE(why.find("'event'"), std::string::npos);
}

TEST(OverallState, IsUnprotectedWithoutAScanServiceOrAWantedMonitor) {
    auto status = healthy();
    status.scan.state = "failed";
    EXPECT_EQ(overall_state(status).first, "unprotected");
    status = healthy();
    status.monitors[0].state = "failed";
    EXPECT_EQ(overall_state(status).first, "unprotected");
    status.monitors[0].wanted = false;
    EXPECT_EQ(overall_state(status).first, "protected");
}

TEST(OverallState, DoesNotTakeUnknownForHealthy) {
    auto status = healthy();
    status.monitors[0].state = "unknown";
    EXPECT_EQ(overall_state(status).first, "unknown");
}

TEST(OverallState, IsDegradedByAPartialMonitorAndByARefusedPolicy) {
    auto status = healthy();
    status.monitors[0].state = "partial";
    EXPECT_EQ(overall_state(status).first, "degraded");
    status = healthy();
    status.policy_valid = false;
    EXPECT_EQ(overall_state(status).first, "degraded");
}

}  // namespace
}  // namespace vigia::daemon
