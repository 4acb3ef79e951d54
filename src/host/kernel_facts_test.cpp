// SPDX-License-Identifier: GPL-2.0-or-later
// Kernels of fixture roots: what is installed, its configuration, types and features.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "host/examine.h"
#include "host/kernel_config.h"
#include "host/kernel_features.h"
#include "host/kernel_probe.h"
#include "host/kernel_release.h"
#include "host/kernel_types.h"
#include "support/root_fixture.h"

namespace vigia::host {
namespace {

using test::kFullConfig;
using test::RootFixture;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using State = CapabilityDecision::State;

constexpr auto kBookworm = "6.1.0-13-amd64";
constexpr auto kBuster = "4.19.0-25-amd64";
constexpr auto kUek6 = "5.4.17-2136.330.7.1.el8uek.x86_64";
constexpr auto kRhel7 = "3.10.0-1160.118.1.el7.x86_64";
constexpr auto kRhel8 = "4.18.0-553.el8_10.x86_64";

HostFacts kernel_facts(const RootFixture& fixture, const std::string& release = {}) {
    const auto root = Root::open(fixture.path());
    HostFacts facts;
    examine_kernel(*root, {.kernel_release = release}, facts);
    facts.installed_kernels = installed_kernels(*root);
    return facts;
}

const CapabilityDecision& decision(const HostFacts& facts, KernelCapability capability) {
    return facts.features->capabilities.at(static_cast<std::size_t>(capability));
}

std::vector<std::string> missing_names(const CapabilityDecision& decision) {
    std::vector<std::string> names;
    names.reserve(decision.missing.size());
    for (const auto& feature : decision.missing) {
        names.push_back(feature.name);
    }
    return names;
}

TEST(InstalledKernels, AreSortedNewestFirstAndTellWhatIsThere) {
    RootFixture fixture;
    fixture.kernel("6.1.0-9-amd64", kFullConfig)
        .kernel(kBookworm, kFullConfig)
        .file("boot/vmlinuz-0-rescue-abc", "")
        .file("boot/vmlinuz-6.1.0-13-amd64.old", "")
        .folder("lib/modules/6.5.0-1-amd64");
    const auto kernels = installed_kernels(*Root::open(fixture.path()));
    ASSERT_TRUE(kernels.is_known());
    ASSERT_EQ(kernels->size(), 3U);
    EXPECT_EQ((*kernels)[0].release.text, "6.5.0-1-amd64");
    EXPECT_FALSE((*kernels)[0].has_image);
    EXPECT_EQ((*kernels)[1].release.text, kBookworm);
    EXPECT_TRUE((*kernels)[1].has_image && (*kernels)[1].has_modules);
    EXPECT_EQ((*kernels)[2].release.text, "6.1.0-9-amd64");
}

TEST(KernelBtf, OfTheRunningKernelIsTheFileInSysfs) {
    RootFixture fixture;
    fixture.kernel(kBookworm, kFullConfig).running(kBookworm).btf();
    const auto facts = kernel_facts(fixture);
    ASSERT_TRUE(facts.btf.is_known());
    EXPECT_TRUE(facts.btf->present);
    EXPECT_EQ(facts.btf.source, "/sys/kernel/btf/vmlinux");
}

TEST(KernelBtf, IsAbsentWithoutTheFileAndUnknownWithAnother) {
    RootFixture fixture;
    fixture.running(kBuster).folder("sys/kernel");
    ASSERT_TRUE(kernel_facts(fixture).btf.is_known());
    EXPECT_FALSE(kernel_facts(fixture).btf->present);
    fixture.file("sys/kernel/btf/vmlinux", "garbage");
    EXPECT_THAT(kernel_facts(fixture).btf.why_unknown, HasSubstr("does not begin as BTF"));
    fixture.remove("sys/kernel/btf/vmlinux").folder("sys/kernel/btf/vmlinux");
    EXPECT_FALSE(kernel_facts(fixture).btf.is_known());
}

TEST(KernelBtf, OfAnotherKernelIsWhatItsConfigurationSays) {
    RootFixture fixture;
    fixture.running(kBuster).btf().kernel(kBookworm, kFullConfig);
    fixture.kernel("5.10.0-1-amd64", "CONFIG_BPF=y\n# CONFIG_DEBUG_INFO_BTF is not set\n");
    EXPECT_TRUE(kernel_facts(fixture, kBookworm).btf->present);
    EXPECT_FALSE(kernel_facts(fixture, "5.10.0-1-amd64").btf->present);
    EXPECT_FALSE(kernel_facts(fixture, "5.11.0-1-amd64").btf.is_known());
}

TEST(KernelHeaders, AreFoundThroughTheLinkInsideTheRoot) {
    RootFixture fixture;
    fixture.running(kBookworm).headers(kBookworm, "usr/src/linux-headers-6.1.0-13-amd64");
    const auto facts = kernel_facts(fixture);
    ASSERT_TRUE(facts.headers.is_known());
    EXPECT_TRUE(facts.headers->found);
    EXPECT_EQ(facts.headers->folder, "/lib/modules/6.1.0-13-amd64/build");
    EXPECT_THAT(facts.headers->lacks, IsEmpty());
    EXPECT_THAT(facts.headers->found_releases, IsEmpty());
}

TEST(KernelHeaders, BehindADanglingLinkAreMissing) {
    RootFixture fixture;
    fixture.running(kRhel8).link("lib/modules/4.18.0-553.el8_10.x86_64/build",
                                 "/usr/src/kernels/4.18.0-553.el8_10.x86_64");
    const auto facts = kernel_facts(fixture);
    EXPECT_FALSE(facts.headers->found);
    EXPECT_THAT(facts.headers->looked_in,
                Contains(HasSubstr("a link that leads nowhere: /usr/src/kernels/4.18.0-553")));
    // Made while we watch: the same link leads somewhere now.
    fixture.file("usr/src/kernels/4.18.0-553.el8_10.x86_64/include/generated/autoconf.h", "");
    EXPECT_TRUE(kernel_facts(fixture).headers->found);
    EXPECT_THAT(kernel_facts(fixture).headers->lacks, ElementsAre("include/linux"));
}

TEST(KernelHeaders, OfAnotherReleaseAreNamedButDoNotCount) {
    RootFixture fixture;
    fixture.running(kBookworm)
        .headers("6.1.0-9-amd64", "usr/src/linux-headers-6.1.0-9-amd64")
        .folder("usr/src/linux-headers-6.1.0-9-common")
        .folder("usr/src/kernels/6.1.5-1.el9.x86_64")
        .folder("usr/src/linux-headers-6.1.0-9");
    const auto facts = kernel_facts(fixture);
    EXPECT_FALSE(facts.headers->found);
    EXPECT_THAT(facts.headers->found_releases, ElementsAre("6.1.0-9-amd64", "6.1.5-1.el9.x86_64"));
}

TEST(KernelHeaders, UnderTheRightNameWithTheWrongContentAreMissing) {
    RootFixture fixture;
    fixture.running(kBookworm)
        .headers("6.1.0-9-amd64", "usr/src/linux-headers-6.1.0-9-amd64")
        .link("lib/modules/6.1.0-13-amd64/build", "/usr/src/linux-headers-6.1.0-9-amd64");
    EXPECT_FALSE(kernel_facts(fixture).headers->found);
    EXPECT_THAT(kernel_facts(fixture).headers->looked_in,
                Contains(HasSubstr("headers of 6.1.0-9-amd64")));
}

TEST(KernelHeaders, InAnEmptyFolderOrBehindALoopAreMissing) {
    RootFixture fixture;
    fixture.running(kBookworm)
        .folder("lib/modules/6.1.0-13-amd64/build")
        .link("usr/src/linux-headers-6.1.0-13-amd64", "linux-headers-6.1.0-13-amd64");
    const auto facts = kernel_facts(fixture);
    ASSERT_TRUE(facts.headers.is_known());
    EXPECT_FALSE(facts.headers->found);
    EXPECT_THAT(facts.headers->looked_in, Contains(HasSubstr("an empty folder")));
    EXPECT_THAT(facts.headers->looked_in, Contains(HasSubstr("a loop of links")));
}

TEST(Features, OfDebian12AllowEverything) {
    RootFixture fixture;
    fixture.kernel(kBookworm, kFullConfig).running(kBookworm).btf();
    const auto facts = kernel_facts(fixture);
    EXPECT_FALSE(facts.features->probed);
    for (const auto& one : facts.features->capabilities) {
        EXPECT_EQ(one.state, State::Ok) << row_of(one.capability).name << one.why_unknown;
    }
}

TEST(Features, OfRedHat7LackWhatTheEbpfRungNeedsAndSaySince) {
    RootFixture fixture;
    fixture.kernel(kRhel7, kFullConfig).running(kRhel7);
    const auto facts = kernel_facts(fixture);
    const auto& processes = decision(facts, KernelCapability::Processes);
    EXPECT_EQ(processes.state, State::Missing);
    EXPECT_THAT(
        missing_names(processes),
        ElementsAre("BPF raw tracepoints", "BPF type information (BPF_BTF_LOAD)", "BPF LRU hash"));
    EXPECT_EQ(processes.missing.front().first_version, (KernelVersion{4, 17, 0}));
    EXPECT_EQ(decision(facts, KernelCapability::Network).state, State::Missing);
    EXPECT_EQ(decision(facts, KernelCapability::FilesByDescriptor).state, State::Ok);
    EXPECT_EQ(decision(facts, KernelCapability::FilesByHandle).state, State::Missing);
}

TEST(Features, OfRedHat8AreTheRungFrom418AndUnknownWhereNobodyCanTell) {
    RootFixture fixture;
    fixture.kernel(kRhel8, kFullConfig).running(kRhel8).btf();
    const auto facts = kernel_facts(fixture);
    EXPECT_EQ(decision(facts, KernelCapability::Processes).state, State::Ok);
    EXPECT_EQ(decision(facts, KernelCapability::Network).state, State::Ok);
    const auto& files = decision(facts, KernelCapability::FilesByHandle);
    EXPECT_EQ(files.state, State::Unknown);
    EXPECT_THAT(files.why_unknown, HasSubstr("FAN_MARK_FILESYSTEM"));
    EXPECT_TRUE(*facts.features->features.at(KernelFeature::BpfRingBuffer));
}

TEST(Features, OfRedHat8KnowTheRingBufferByTheBuild) {
    const auto ring = [](const char* release) {
        RootFixture fixture;
        fixture.kernel(release, kFullConfig).running(release);
        return kernel_facts(fixture).features->features.at(KernelFeature::BpfRingBuffer);
    };
    EXPECT_FALSE(*ring("4.18.0-240.el8.x86_64"));
    EXPECT_FALSE(ring("4.18.0-305.el8.x86_64").is_known());
    EXPECT_TRUE(*ring("4.18.0-372.el8.x86_64"));
}

TEST(Features, OfUek6HaveThePerfBufferForTheRingBuffer) {
    RootFixture fixture;
    fixture.kernel(kUek6, kFullConfig).running(kUek6);
    const auto facts = kernel_facts(fixture);
    EXPECT_TRUE(facts.kernel->is_uek);
    EXPECT_FALSE(*facts.features->features.at(KernelFeature::BpfRingBuffer));
    EXPECT_EQ(decision(facts, KernelCapability::Processes).state, State::Ok);
}

TEST(Features, AreMissingWhenTheConfigurationLeavesThemOut) {
    RootFixture fixture;
    fixture
        .kernel(kBookworm,
                "CONFIG_FANOTIFY=y\n# CONFIG_CGROUP_BPF is not set\n"
                "CONFIG_BPF_SYSCALL=y\nCONFIG_BPF_EVENTS=y\n")
        .running(kBookworm);
    const auto facts = kernel_facts(fixture);
    EXPECT_EQ(decision(facts, KernelCapability::Processes).state, State::Ok);
    const auto& network = decision(facts, KernelCapability::Network);
    EXPECT_EQ(network.state, State::Missing);
    EXPECT_THAT(network.missing.back().why, HasSubstr("CONFIG_CGROUP_BPF is not set"));
    EXPECT_EQ(decision(facts, KernelCapability::ExecGate).state, State::Missing);
}

TEST(Features, AreUnknownWithoutAConfiguration) {
    RootFixture fixture;
    fixture.running(kBookworm);
    const auto facts = kernel_facts(fixture);
    EXPECT_EQ(decision(facts, KernelCapability::Processes).state, State::Unknown);
    EXPECT_THAT(decision(facts, KernelCapability::Processes).why_unknown,
                HasSubstr("configuration is not known"));
}

TEST(SufficientKernel, IsTheNewestThatWouldDo) {
    RootFixture fixture;
    fixture.kernel(kRhel7, kFullConfig).running(kRhel7);
    constexpr std::array kWanted{KernelCapability::Processes, KernelCapability::Network};
    const auto root = *Root::open(fixture.path());
    const auto none = newest_sufficient(root, installed_kernels(root), kWanted);
    ASSERT_TRUE(none.is_known());
    EXPECT_EQ(*none, "");
    fixture.kernel(kUek6, kFullConfig).kernel("6.9.0-1-amd64", "# CONFIG_BPF_SYSCALL is not set\n");
    const auto found = newest_sufficient(root, installed_kernels(root), kWanted);
    ASSERT_TRUE(found.is_known());
    EXPECT_EQ(*found, kUek6);
}

TEST(Probe, TakesARefusalForUnknownAndNotForAbsent) {
    EXPECT_TRUE(*meaning_of(0, "x"));
    EXPECT_FALSE(*meaning_of(EINVAL, "x"));
    EXPECT_FALSE(*meaning_of(ENOSYS, "x"));
    for (const int error : {EPERM, EACCES, EMFILE, ENOMEM}) {
        EXPECT_FALSE(meaning_of(error, "x").is_known()) << error;
    }
}

TEST(Probe, OfThisKernelAgreesWithItsVersionWhereItIsAllowedToAsk) {
    const auto root = *Root::open("/");
    const auto running = running_kernel(root);
    ASSERT_TRUE(running.is_known());
    const auto config = kernel_config(root, *running, true);
    if (!config.is_known()) {
        GTEST_SKIP() << "no configuration of the running kernel: " << config.why_unknown;
    }
    const auto concluded = features_by_version(*running, config);
    const auto probed = probe_features(concluded);
    std::size_t asked = 0;
    for (const auto& [feature, fact] : probed) {
        const auto& other = concluded.at(feature);
        if (fact.is_known() && other.is_known()) {
            EXPECT_EQ(*fact, *other) << row_of(feature).name << ": " << fact.source;
            ++asked;
        }
    }
    EXPECT_GT(asked, 0U);
}

}  // namespace
}  // namespace vigia::host
