// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "health/catalogue.h"
#include "health/faults_fixture.h"
#include "health/render.h"

namespace vigia::health {
namespace {

using namespace std::chrono_literals;

class OverloadFault : public ::testing::Test {
protected:
    [[nodiscard]] Finding probe() const { return fault_->probe(facts_, fault_->timing); }

    const Fault* fault_ = find_fault(18);
    Facts facts_ = sound();
};

TEST_F(OverloadFault, IsOverOnlyWhenNothingIsOwed) {
    EXPECT_EQ(probe().state, Finding::State::Ok);
    facts_.overload.level = 2;
    EXPECT_EQ(probe().severity, Severity::Critical);
    facts_.overload = {.known = true, .level = 1, .owes = true};
    EXPECT_EQ(probe().severity, Severity::Major);
    EXPECT_EQ(probe().cause, "busy-host");
    facts_.overload.level = 0;
    EXPECT_EQ(probe().cause, "catching-up");
    facts_.overload.owes = false;
    EXPECT_EQ(probe().state, Finding::State::Ok);
}

TEST_F(OverloadFault, IsNoneWhereNothingIsMonitored) {
    ASSERT_NE(fault_->wanted, nullptr);
    const Facts::Wanted nothing{
        .copies_and_moves = false, .exec_gate = false, .processes = false, .flows = false};
    EXPECT_FALSE(fault_->wanted(nothing));
    auto one = nothing;
    one.flows = true;
    EXPECT_TRUE(fault_->wanted(one));
}

TEST_F(OverloadFault, ACatchUpAfterARestartIsNoOverload) {
    facts_.overload.catch_up = "walking";
    EXPECT_EQ(probe().state, Finding::State::Ok);
}

TEST_F(OverloadFault, TheCommandLeavesOutWhatMayBeLeftOut) {
    facts_.overload = {
        .known = true,
        .level = 1,
        .gauge = "events",
        .programs = {{.path = "/usr/bin/make", .user = "ci", .exclusion = "vigia exclusions add a"},
                     {.path = "/bin/sh",
                      .exclusion = "vigia exclusions add b",
                      .warning = "shell"}},
        .culprit = true};
    const auto report = render(*fault_, probe(), Language::English);
    ASSERT_FALSE(report.remedy.empty());
    EXPECT_NE(report.description.find("/usr/bin/make"), std::string::npos);
    EXPECT_EQ(report.remedy.front().command, "vigia exclusions add a");
    for (const auto& step : report.remedy) {
        EXPECT_EQ(step.command.find("add b"), std::string::npos) << step.command;
    }
    const auto* programs = report.evidence.find("programs");
    ASSERT_NE(programs, nullptr);
    EXPECT_EQ(std::get<Evidence::List>(programs->value).size(), 2U);
}

TEST_F(OverloadFault, WithoutProgramsNobodyIsToldToExcludeThem) {
    facts_.overload = {.known = true, .level = 1, .gauge = "ring"};
    for (const auto& step : render(*fault_, probe(), Language::Spanish).remedy) {
        EXPECT_EQ(step.text.find("excluya"), std::string::npos) << step.text;
    }
}

TEST_F(OverloadFault, MoreMachineIsSuggestedWhenItIsOftenTooMuchWithinADay) {
    facts_.overload = {.known = true,
                       .level = 1,
                       .gauge = "queue",
                       .peak_cpu_percent = 60,
                       .processors = 4,
                       .storms = {facts_.now - 30h, facts_.now - 20h, facts_.now - 1h}};
    EXPECT_EQ(probe().cause, "busy-host");
    facts_.overload.storms.push_back(facts_.now - 30min);
    EXPECT_EQ(probe().cause, "machine-too-small");
    const auto report = render(*fault_, probe(), Language::English);
    // What we took of it at the most, on top: 2.4 processors are three.
    EXPECT_NE(report.remedy.front().text.find("7 processors instead of 4"), std::string::npos)
        << report.remedy.front().text;
    facts_.overload.culprit = true;
    facts_.overload.programs = {{.path = "/usr/bin/make"}};
    EXPECT_EQ(probe().cause, "busy-program");
}

TEST_F(OverloadFault, AnOverflowHasNoCount) {
    facts_.overload = {.known = true, .level = 1, .gauge = "overflow", .overflows = 2, .lost = 0};
    const Evidence evidence(probe().evidence);
    ASSERT_NE(evidence.find("lost"), nullptr);
    EXPECT_EQ(*evidence.find("lost"), Evidence());
    EXPECT_EQ(*evidence.find("overflows"), Evidence(2));
}

}  // namespace
}  // namespace vigia::health
