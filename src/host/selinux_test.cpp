// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/selinux.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/subprocess.h"
#include "host/selinux_policy.h"
#include "support/root_fixture.h"

namespace vigia::host {
namespace {

using namespace std::string_view_literals;
using test::RootFixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A whole policy, as small as can be: two classes, one role, the domains a test names.
std::string policy_source(std::string_view rules, std::string_view bpf_class) {
    std::string text = "class process\n";
    text += bpf_class.empty() ? "" : "class bpf\n";
    text += "sid kernel\nclass process { transition }\n";
    text += bpf_class;
    text +=
        "sensitivity s0;\ndominance { s0 }\ncategory c0;\nlevel s0:c0;\n"
        "mlsconstrain process transition ( l1 eq l2 );\n"
        "attribute domain;\ntype kernel_t, domain;\nallow domain self:process transition;\n";
    text += rules;
    text +=
        "role system_r;\nrole system_r types domain;\n"
        "user system_u roles { system_r } level s0 range s0 - s0:c0;\n"
        "sid kernel system_u:system_r:kernel_t:s0\n";
    return text;
}

constexpr auto kBpfClass = "class bpf { map_create map_read map_write prog_load prog_run }\n"sv;
constexpr auto kService = "type unconfined_service_t, domain;\n"sv;
constexpr auto kRule =
    "allow unconfined_service_t self:bpf { map_create map_read map_write prog_load prog_run };\n"sv;

std::string compiled(const std::string& source, const std::string& unknown = "deny") {
    RootFixture folder;
    folder.file("policy.conf", source);
    auto compiler = Subprocess::start({.program = "/usr/bin/checkpolicy",
                                       .arguments = {"-M",
                                                     "-U",
                                                     unknown,
                                                     "-o",
                                                     (folder.path() / "out").string(),
                                                     (folder.path() / "policy.conf").string()}});
    if (!compiler || compiler->wait(std::chrono::seconds(30)) != 0) {
        ADD_FAILURE() << "checkpolicy did not compile:\n" << source;
        return {};
    }
    std::ifstream file(folder.path() / "out", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

SelinuxFacts facts_of(const RootFixture& fixture, const SelinuxOptions& options = {}) {
    return selinux(*Root::open(fixture.path()), options);
}

void enforcing(RootFixture& fixture) {
    fixture.file("sys/fs/selinux/enforce", "1")
        .file("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n");
}

TEST(Selinux, IsAbsentWithoutAnyTraceOfIt) {
    const RootFixture fixture;
    const auto facts = facts_of(fixture);
    EXPECT_EQ(*facts.state, SelinuxState::Absent);
    EXPECT_FALSE(facts.bpf_rule.is_known());
    EXPECT_FALSE(*facts.has_tools);
}

TEST(Selinux, IsWhatTheKernelSaysBeforeWhatIsConfigured) {
    RootFixture fixture;
    fixture.file("etc/selinux/config", "SELINUX=enforcing\n").file("sys/fs/selinux/enforce", "0");
    EXPECT_EQ(*facts_of(fixture).state, SelinuxState::Permissive);
    EXPECT_EQ(*facts_of(fixture).configured, SelinuxState::Enforcing);
}

TEST(Selinux, OfAnImageIsWhatItWillBootInto) {
    RootFixture fixture;
    fixture.file("etc/selinux/config", "SELINUX=enforcing\n");
    EXPECT_EQ(*facts_of(fixture).state, SelinuxState::Enforcing);
    fixture.file("sys/kernel/security/lsm", "capability,apparmor");
    EXPECT_EQ(*facts_of(fixture).state, SelinuxState::Disabled);
}

TEST(Selinux, IsUnknownWhenItsFilesAreGarbage) {
    RootFixture fixture;
    fixture.file("sys/fs/selinux/enforce", "maybe");
    EXPECT_FALSE(facts_of(fixture).state.is_known());
    fixture.remove("sys/fs/selinux/enforce").file("etc/selinux/config", "\xff\0"sv);
    EXPECT_FALSE(facts_of(fixture).state.is_known());
    EXPECT_FALSE(facts_of(fixture).bpf_rule.is_known());
}

TEST(SelinuxModuleStore, DecidesWhereThereIsNoPolicy) {
    RootFixture fixture;
    enforcing(fixture);
    auto facts = facts_of(fixture);
    EXPECT_EQ(*facts.module, SelinuxModule::NotInstalled);
    EXPECT_FALSE(facts.bpf_rule->allowed);
    EXPECT_EQ(facts.bpf_rule->by, SelinuxBpfRule::By::ModuleStore);
    EXPECT_EQ(facts.bpf_rule->denied.size(), 5U);

    fixture.folder("var/lib/selinux/targeted/active/modules/400/vigia-bpf");
    EXPECT_TRUE(facts_of(fixture).bpf_rule->allowed);

    fixture.file("var/lib/selinux/targeted/active/modules/disabled/vigia-bpf", "");
    facts = facts_of(fixture);
    EXPECT_EQ(*facts.module, SelinuxModule::Disabled);
    EXPECT_FALSE(facts.bpf_rule->allowed);
}

TEST(SelinuxPolicy, WithTheRuleAllows) {
    RootFixture fixture;
    enforcing(fixture);
    fixture.file("etc/selinux/targeted/policy/policy.33",
                 compiled(policy_source(std::string(kService) + std::string(kRule), kBpfClass)));
    const auto facts = facts_of(fixture);
    ASSERT_TRUE(facts.bpf_rule.is_known()) << facts.bpf_rule.why_unknown;
    EXPECT_TRUE(facts.bpf_rule->allowed);
    EXPECT_THAT(facts.bpf_rule->denied, IsEmpty());
    EXPECT_EQ(facts.bpf_rule->by, SelinuxBpfRule::By::PolicyFile);
    EXPECT_EQ(*facts.domain, "system_u:system_r:unconfined_service_t:s0");
}

TEST(SelinuxPolicy, WithoutTheRuleDeniesAndNamesWhat) {
    RootFixture fixture;
    enforcing(fixture);
    const std::string some =
        std::string(kService) + "allow domain self:bpf { map_create map_read map_write };\n";
    fixture.file("etc/selinux/targeted/policy/policy.31", compiled(policy_source(some, kBpfClass)))
        .file("etc/selinux/targeted/policy/policy.30", "old and damaged");
    const auto facts = facts_of(fixture);
    ASSERT_TRUE(facts.bpf_rule.is_known()) << facts.bpf_rule.why_unknown;
    EXPECT_FALSE(facts.bpf_rule->allowed);
    EXPECT_THAT(facts.bpf_rule->denied, ElementsAre("prog_load", "prog_run"));
}

TEST(SelinuxPolicy, IsAskedForTheDomainThatItKnows) {
    RootFixture fixture;
    enforcing(fixture);
    fixture.file("etc/selinux/targeted/policy/policy.33",
                 compiled(policy_source("type initrc_t, domain;\n"
                                        "allow initrc_t self:bpf prog_load;\n",
                                        kBpfClass)));
    const auto facts = facts_of(fixture);
    EXPECT_EQ(*facts.domain, "system_u:system_r:initrc_t:s0");
    EXPECT_EQ(facts.bpf_rule->denied.size(), 4U);
    const auto other = facts_of(fixture, {.context = "system_u:system_r:vigia_t:s0"});
    EXPECT_THAT(other.bpf_rule.why_unknown, HasSubstr("knows none of the domains"));
}

TEST(SelinuxPolicy, IsAskedForTheDomainOfTheUnit) {
    RootFixture fixture;
    enforcing(fixture);
    fixture.file("usr/lib/systemd/system/vigiad.service",
                 "[Service]\nSELinuxContext=system_u:system_r:kernel_t:s0\n");
    EXPECT_EQ(*facts_of(fixture).domain, "system_u:system_r:kernel_t:s0");
    fixture.file("etc/systemd/system/vigiad.service.d/domain.conf",
                 "[Service]\nSELinuxContext=system_u:system_r:other_t:s0\n");
    EXPECT_EQ(*facts_of(fixture).domain, "system_u:system_r:other_t:s0");
}

TEST(SelinuxPolicy, ThatDoesNotKnowTheClassDecidesAsItsHeaderSays) {
    for (const bool allows : {true, false}) {
        RootFixture fixture;
        enforcing(fixture);
        fixture.file("etc/selinux/targeted/policy/policy.33",
                     compiled(policy_source(kService, ""), allows ? "allow" : "deny"));
        const auto facts = facts_of(fixture);
        ASSERT_TRUE(facts.bpf_rule.is_known()) << facts.bpf_rule.why_unknown;
        EXPECT_EQ(facts.bpf_rule->allowed, allows);
    }
}

TEST(SelinuxPolicy, ThatIsDamagedIsUnknownAndHurtsNobody) {
    const auto whole =
        compiled(policy_source(std::string(kService) + std::string(kRule), kBpfClass));
    ASSERT_FALSE(whole.empty());
    RootFixture fixture;
    enforcing(fixture);
    for (std::size_t at = 0; at < whole.size(); at += 37) {
        auto damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x80);
        fixture.file("etc/selinux/targeted/policy/policy.33", damaged.substr(0, damaged.size()));
        const auto facts = facts_of(fixture);
        EXPECT_TRUE(facts.bpf_rule.is_known() || !facts.bpf_rule.why_unknown.empty());
    }
    fixture.file("etc/selinux/targeted/policy/policy.33", whole.substr(0, whole.size() / 2));
    EXPECT_FALSE(facts_of(fixture).bpf_rule.is_known());
}

}  // namespace
}  // namespace vigia::host
