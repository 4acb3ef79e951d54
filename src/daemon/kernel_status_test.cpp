// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel_status.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

namespace vigia::daemon {
namespace {

using sensors::LoadCause;

KernelMonitor::State running() {
    KernelMonitor::State state{.applied = true,
                               .processes = {.wanted = true, .backend = "ebpf-btf"},
                               .network = {.wanted = true, .backend = "ebpf-btf"}};
    state.counters = {{.event_class = "exec",
                       .offered = 10,
                       .delivered = 6,
                       .lost = 1,
                       .filtered = {{"own", 2}, {"policy", 1}}}};
    return state;
}

KernelMonitor::State refused(LoadCause cause) {
    KernelMonitor::State state{.applied = true};
    for (auto* half : {&state.processes, &state.network}) {
        *half = {.wanted = true,
                 .backend = "proc",
                 .failure = sensors::LoadFailure{.cause = cause, .error = EPERM, .detail = "x"}};
    }
    return state;
}

Facts wanted() {
    Facts facts;
    facts.kernel.has_btf = Fact<bool>::known(true, "vmlinux");
    return facts;
}

TEST(KernelStatus, WhatRunsIsOkAndItsBooksAreExact) {
    const auto monitors = monitors_of(running(), Policy{});
    ASSERT_EQ(monitors.size(), 2U);
    EXPECT_EQ(monitors[0].name, "processes");
    EXPECT_EQ(monitors[1].name, "network");
    for (const auto& one : monitors) {
        EXPECT_EQ(one.state, "ok");
        EXPECT_EQ(one.backend, "ebpf-btf");
    }
    const auto books = accounting_of(running());
    EXPECT_EQ(books.front().cls, "exec");
    EXPECT_TRUE(books.front().exact);
    EXPECT_EQ(books.front().offered, 10U);
    EXPECT_EQ(books.front().filtered.at("own"), 2U);
}

TEST(KernelStatus, RunsThatTheKernelLeftOutAreNotHidden) {
    auto state = running();
    state.missed_runs = 3;
    EXPECT_FALSE(accounting_of(state).front().exact);
    EXPECT_NE(monitors_of(state, Policy{})[0].detail.find("left out: 3"), std::string::npos);
}

TEST(KernelStatus, LookingInsteadIsPartialAndSaysWhatItDoesNotSee) {
    auto state = refused(LoadCause::NoPermission);
    state.polled[0] = 5;
    state.polled_excluded[0] = 3;
    for (const auto& one : monitors_of(state, Policy{})) {
        EXPECT_EQ(one.state, "partial");
        EXPECT_NE(one.detail.find("not seen:"), std::string::npos);
        EXPECT_NE(one.detail.find("no-permission"), std::string::npos);
    }
    const auto books = accounting_of(state).front();
    EXPECT_FALSE(books.exact);
    EXPECT_FALSE(books.lost.has_value());
}

TEST(KernelStatus, AMissingHookOfTheNetworkIsSaidAndAnIteratorIsNotMissed) {
    auto state = running();
    state.missing = {{.cause = LoadCause::NoHook, .program = "vigia_sockets"}};
    EXPECT_EQ(monitors_of(state, Policy{})[1].state, "ok");
    state.missing.push_back({.cause = LoadCause::NoHook, .program = "vigia_sockops"});
    const auto network = monitors_of(state, Policy{})[1];
    EXPECT_EQ(network.state, "partial");
    EXPECT_NE(network.detail.find("vigia_sockops"), std::string::npos);
}

TEST(KernelStatus, WhatRunsIsPossibleWhateverWasConcludedOfTheKernel) {
    auto facts = wanted();
    facts.kernel.missing = {
        {.feature = "f", .capability = "network", .first_kernel = "5.8", .why = ""},
        {.feature = "g", .capability = "files", .first_kernel = "5.1", .why = ""}};
    facts.kernel.programs_impossible = true;
    describe_programs(running(), facts);
    ASSERT_EQ(facts.kernel.missing.size(), 1U);
    EXPECT_EQ(facts.kernel.missing[0].capability, "files");
    EXPECT_FALSE(facts.kernel.programs_impossible);
    EXPECT_TRUE(facts.programs.tried);
    EXPECT_FALSE(facts.programs.network.has_value());
}

TEST(KernelStatus, WithoutTypesTheKernelHasNoneForFaultEleven) {
    auto facts = wanted();
    describe_programs(refused(LoadCause::NoBtf), facts);
    EXPECT_FALSE(*facts.kernel.has_btf);
    ASSERT_TRUE(facts.programs.network.has_value());
    EXPECT_EQ(facts.programs.network->cause, "no-btf");
    EXPECT_EQ(facts.programs.fallback, "/proc and sock_diag");
}

TEST(KernelStatus, WhatPolicyHasChangedIsNotTriedYet) {
    auto facts = wanted();
    auto state = running();
    state.network.wanted = false;
    describe_programs(state, facts);
    EXPECT_FALSE(facts.programs.tried);
}

}  // namespace
}  // namespace vigia::daemon
