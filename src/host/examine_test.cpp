// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/examine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <functional>

#include "base/clock.h"
#include "host/accounts.h"
#include "support/root_fixture.h"

namespace vigia::host {
namespace {

using test::kFullConfig;
using test::RootFixture;
using testing::IsEmpty;

constexpr auto kRelease = "6.1.0-13-amd64";

// Every file that is read, but those of proc/PID.
constexpr std::array kFiles{
    "etc/os-release",
    "usr/lib/os-release",
    "proc/sys/kernel/osrelease",
    "proc/config.gz",
    "boot/config-6.1.0-13-amd64",
    "lib/modules/6.1.0-13-amd64/config",
    "sys/kernel/btf/vmlinux",
    "sys/kernel/security/lsm",
    "sys/kernel/security/lockdown",
    "sys/fs/selinux/enforce",
    "etc/selinux/config",
    "etc/selinux/targeted/policy/policy.33",
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "etc/passwd",
    "etc/group",
    "etc/shadow",
    "etc/login.defs",
    "proc/meminfo",
    "proc/self/cgroup",
    "proc/self/mountinfo",
    "sys/fs/cgroup/memory.max",
    "proc/pressure/memory",
    "proc/sys/fs/fanotify/max_user_groups",
    "proc/sys/fs/fanotify/max_user_marks",
    "proc/sys/fs/fanotify/max_queued_events",
    "usr/bin/dnf",
    "usr/sbin/semodule"};

HostFacts examine_fixture(const RootFixture& fixture) {
    return examine(*Root::open(fixture.path()),
                   {.kernel_release = kRelease, .own_paths = installed_paths()});
}

// What must hold whatever is in the files: nothing is known that only these files could say.
void expect_nothing_known(const HostFacts& facts) {
    EXPECT_FALSE(facts.is_live);
    EXPECT_FALSE(facts.distribution.is_known());
    EXPECT_FALSE(facts.running_kernel.is_known());
    EXPECT_FALSE(facts.kernel_config.is_known());
    EXPECT_FALSE(facts.security_modules.is_known());
    EXPECT_FALSE(facts.lockdown.is_known());
    EXPECT_FALSE(facts.secure_boot.is_known());
    EXPECT_FALSE(facts.selinux.state.is_known());
    EXPECT_FALSE(facts.selinux.bpf_rule.is_known());
    EXPECT_FALSE(facts.scan_user.users.is_known());
    EXPECT_FALSE(facts.scan_user.password.is_known());
    EXPECT_FALSE(facts.memory.total.is_known());
    EXPECT_FALSE(facts.memory.usable.is_known());
    EXPECT_FALSE(facts.mounts.is_known());
    EXPECT_FALSE(facts.fanotify_limits.max_user_groups.is_known());
    EXPECT_FALSE(facts.memory.total.why_unknown.empty());
    for (const auto& decision : facts.features->capabilities) {
        EXPECT_EQ(decision.state, CapabilityDecision::State::Unknown);
    }
}

TEST(Examine, OfFilesThatAreGarbageKnowsNothingAndSaysWhy) {
    RootFixture fixture;
    std::string garbage;
    for (int i = 0; i < 4096; ++i) {
        garbage += static_cast<char>(i * 131 + i / 7);
    }
    for (const auto* file : kFiles) {
        fixture.file(file, garbage);
    }
    expect_nothing_known(examine_fixture(fixture));
}

TEST(Examine, OfFilesThatAreHugeKnowsNothingAndSaysWhy) {
    RootFixture fixture;
    for (const auto* file : kFiles) {
        fixture.file(file, "x");
        std::filesystem::resize_file(fixture.path() / file, std::uintmax_t{1} << 40U);  // sparse
    }
    expect_nothing_known(examine_fixture(fixture));
}

TEST(Examine, OfFifosFoldersAndLoopsDoesNotHang) {
    const std::array<std::function<void(const std::filesystem::path&)>, 3> kinds{
        [](const auto& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0644), 0); },
        [](const auto& path) { std::filesystem::create_directory(path); },
        [](const auto& path) { std::filesystem::create_symlink(path.filename(), path); }};
    for (const auto& make : kinds) {
        RootFixture fixture;
        for (const auto* file : kFiles) {
            fixture.file(file, "").remove(file);
            make(fixture.path() / file);
        }
        expect_nothing_known(examine_fixture(fixture));
    }
}

TEST(Examine, OfAnEmptyRootKnowsNothingWrong) {
    const RootFixture fixture;
    const auto facts = examine_fixture(fixture);
    EXPECT_FALSE(facts.distribution.is_known());
    EXPECT_FALSE(facts.memory.usable.is_known());
    EXPECT_EQ(*facts.selinux.state, SelinuxState::Absent);
    EXPECT_TRUE(facts.installed_kernels->empty());
}

TEST(Examine, OfADebianWithEverythingKnowsIt) {
    RootFixture fixture;
    fixture.file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n")
        .program("usr/bin/apt-get")
        .program("usr/bin/clang-14")
        .kernel(kRelease, kFullConfig)
        .running(kRelease)
        .btf()
        .file("proc/meminfo", "MemTotal: 524288 kB\nMemAvailable: 262144 kB\n");
    const auto facts = examine(*Root::open(fixture.path()), {});
    EXPECT_EQ(facts.distribution->family, DistributionFamily::Debian);
    EXPECT_EQ(*facts.package_manager, PackageManager::AptGet);
    EXPECT_TRUE(*facts.has_clang);
    EXPECT_EQ(facts.kernel->text, kRelease);
    EXPECT_TRUE(facts.btf->present);
    EXPECT_EQ(*facts.sufficient_kernel, kRelease);
    EXPECT_EQ(*facts.memory.usable, 512ULL << 20U);
    EXPECT_FALSE(facts.capabilities.is_known());  // ours say nothing about that machine
}

TEST(Examine, TakesOwnPathsFromTheirOwnRoot) {
    const RootFixture host;
    RootFixture prefix;
    prefix.folder("var/lib/vigia");
    const auto own = *Root::open(prefix.path());
    const auto facts =
        examine(*Root::open(host.path()),
                {.own_paths = {{.path = "var/lib/vigia", .uid = ::getuid()}}, .own_root = &own});
    EXPECT_EQ(facts.own_paths.checked, 1U);
    for (const auto& wrong : facts.own_paths.wrong) {
        EXPECT_NE(wrong.what, PathDeviation::What::Missing);
    }
}

TEST(Examine, OfTheLiveRootAsksTheKernel) {
    const auto root = *Root::open("/");
    const auto facts = examine(root, {.own_paths = installed_paths()});
    EXPECT_TRUE(facts.is_live);
    ASSERT_TRUE(facts.running_kernel.is_known());
    EXPECT_TRUE(facts.features->probed);
    EXPECT_TRUE(facts.capabilities.is_known());
    EXPECT_GT(*facts.memory.usable, 0U);
    EXPECT_GT(facts.listeners->processes, 0U);
    EXPECT_FALSE(facts.mounts->empty());
}

}  // namespace
}  // namespace vigia::host
