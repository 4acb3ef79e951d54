// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/remedy_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/distribution.h"
#include "host/kernel_release.h"

namespace vigia::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

HostFacts host(std::string_view os_release, std::string_view release) {
    HostFacts facts;
    facts.distribution = Fact<Distribution>::known(*parse_os_release(os_release), "test");
    facts.kernel = Fact<KernelRelease>::known(*parse_kernel_release(release), "test");
    facts.scan_user.name = "vigia-scan";
    return facts;
}

TEST(HeadersCommand, IsExactForEachDistribution) {
    const struct {
        std::string_view os_release;
        std::string_view kernel;
        std::string_view command;
    } rows[] = {
        {"ID=debian\nVERSION_ID=12",
         "6.1.0-13-amd64",
         "apt-get install -y linux-headers-6.1.0-13-amd64"},
        {"ID=ubuntu\nID_LIKE=debian",
         "5.15.0-105-generic",
         "apt-get install -y linux-headers-5.15.0-105-generic"},
        {"ID=rhel\nVERSION_ID=8.10",
         "4.18.0-553.el8_10.x86_64",
         "dnf install -y kernel-devel-4.18.0-553.el8_10.x86_64"},
        {"ID=centos\nVERSION_ID=7",
         "3.10.0-1160.el7.x86_64",
         "yum install -y kernel-devel-3.10.0-1160.el7.x86_64"},
        {"ID=ol\nVERSION_ID=8.9",
         "5.4.17-2136.330.7.1.el8uek.x86_64",
         "dnf install -y kernel-uek-devel-5.4.17-2136.330.7.1.el8uek.x86_64"},
        {"ID=ol\nVERSION_ID=8.9",
         "4.18.0-513.el8.x86_64",
         "dnf install -y kernel-devel-4.18.0-513.el8.x86_64"},
        {"ID=amzn\nVERSION_ID=2",
         "5.10.205-195.807.amzn2.x86_64",
         "yum install -y kernel-devel-5.10.205-195.807.amzn2.x86_64"},
        {"ID=amzn\nVERSION_ID=2023",
         "6.1.19-30.43.amzn2023.x86_64",
         "dnf install -y kernel-devel-6.1.19-30.43.amzn2023.x86_64"},
        {"ID=sles\nVERSION_ID=15.5",
         "5.14.21-150500.55.39-default",
         "zypper --non-interactive install kernel-default-devel=5.14.21-150500.55.39"},
        {"ID=arch", "6.6.32-1-lts", "pacman -S --noconfirm linux-lts-headers"},
        {"ID=arch", "6.9.2-arch1-1", "pacman -S --noconfirm linux-headers"},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(install_headers_command(host(row.os_release, row.kernel), false), row.command);
    }
}

TEST(HeadersCommand, UsesThePackageManagerThatIsThereAndAddsClangWhereItIsMissing) {
    auto facts = host("ID=ol\nVERSION_ID=8", "5.4.17-2136.1.el8uek.x86_64");
    facts.package_manager = Fact<PackageManager>::known(PackageManager::Yum, "test");
    facts.has_clang = Fact<bool>::known(false, "test");
    EXPECT_EQ(install_headers_command(facts, true),
              "yum install -y kernel-uek-devel-5.4.17-2136.1.el8uek.x86_64 clang");
    facts.has_clang = Fact<bool>::known(true, "test");
    EXPECT_EQ(install_headers_command(facts, true),
              "yum install -y kernel-uek-devel-5.4.17-2136.1.el8uek.x86_64");
}

TEST(HeadersCommand, IsNotGuessedForAHostThatIsNotKnown) {
    EXPECT_EQ(install_headers_command(host("ID=void", "6.1.0_1"), false), std::nullopt);
    const HostFacts nothing;
    EXPECT_EQ(install_headers_command(nothing, false), std::nullopt);
    EXPECT_EQ(selinux_tools_package(nothing), std::nullopt);
    EXPECT_EQ(install_command(host("ID=debian", "6.1.0"), "a; reboot"), std::nullopt);
    EXPECT_EQ(install_command(host("ID=debian", "6.1.0"), "--purge"), std::nullopt);
}

TEST(SelinuxRemedy, NamesThePackageOfTheDistribution) {
    EXPECT_EQ(selinux_tools_package(host("ID=rhel\nVERSION_ID=7.9", "3.10.0")),
              "policycoreutils-python");
    EXPECT_EQ(selinux_tools_package(host("ID=ol\nVERSION_ID=7.9", "3.10.0")),
              "policycoreutils-python");
    EXPECT_EQ(selinux_tools_package(host("ID=rhel\nVERSION_ID=9.4", "5.14.0")),
              "policycoreutils-python-utils");
    EXPECT_EQ(selinux_tools_package(host("ID=fedora\nVERSION_ID=40", "6.8.0")),
              "policycoreutils-python-utils");
    EXPECT_EQ(selinux_tools_package(host("ID=debian\nVERSION_ID=12", "6.1.0")), "policycoreutils");
}

TEST(SelinuxRemedy, EnablesAModuleThatIsDisabledAndInstallsOneThatIsMissing) {
    SelinuxFacts selinux;
    EXPECT_EQ(selinux_module_command(selinux), "semodule -i /usr/share/vigia/selinux/vigia-bpf.pp");
    selinux.module = Fact<SelinuxModule>::known(SelinuxModule::Disabled, "test");
    EXPECT_EQ(selinux_module_command(selinux), "semodule -e vigia-bpf");
}

TEST(UserRemedy, MakesWhatIsMissing) {
    auto facts = host("ID=debian", "6.1.0");
    EXPECT_THAT(scan_user_commands(facts, true), IsEmpty());  // not known to be missing
    facts.scan_user.users = Fact<std::vector<Account>>::known({}, "test");
    facts.scan_user.groups = Fact<std::vector<AccountGroup>>::known({}, "test");
    EXPECT_THAT(scan_user_commands(facts, true), ElementsAre("systemd-sysusers vigia.conf"));
    EXPECT_THAT(scan_user_commands(facts, false),
                ElementsAre("groupadd --system vigia-scan",
                            "useradd --system --gid vigia-scan --no-create-home --home-dir "
                            "/nonexistent --shell /usr/sbin/nologin vigia-scan"));
}

TEST(PathRemedy, PutsOwnerAndModeRightAndQuotesThePath) {
    const PathDeviation deviation{.path = "/x y'z",
                                  .what = PathDeviation::What::WrongModeOrOwner,
                                  .found = ModeAndOwner{.mode = 0777, .uid = 5, .gid = 0},
                                  .expected = {.mode = 0755}};
    EXPECT_THAT(path_commands(deviation),
                ElementsAre("chown --no-dereference 0:0 '/x y'\\''z'", "chmod 0755 '/x y'\\''z'"));
    EXPECT_THAT(path_commands({.path = "/x"}), IsEmpty());
}

TEST(SecureBootRemedy, IsGivenOnlyWhereItIsOn) {
    auto facts = host("ID=debian", "6.1.0");
    EXPECT_THAT(secure_boot_commands(facts), IsEmpty());
    facts.secure_boot = Fact<SecureBoot>::known(SecureBoot::Enabled, "test");
    EXPECT_EQ(secure_boot_commands(facts).front(), "mokutil --sb-state");
}

}  // namespace
}  // namespace vigia::host
