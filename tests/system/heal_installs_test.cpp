// SPDX-License-Identifier: GPL-2.0-or-later
// What the repairs that install something would run on this very host. The package manager and
// semodule are stood in for by scripts that note how they were called, in a mount namespace: what
// they would do to the machine is not the test's to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "support/playground.h"
#include "support/process.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class HealInstalls : public testing::Test {
protected:
    void SetUp() override { fs::create_directories(bin_); }

    // The scripts lie over /usr/sbin, which comes first in the path of our children.
    void lay() {
        const auto layers = "lowerdir=" + bin_.native() + ":/usr/sbin";
        ASSERT_EQ(::mount("overlay", "/usr/sbin", "overlay", 0, layers.c_str()), 0);
        laid_ = true;
    }

    void TearDown() override {
        if (laid_) {
            ::umount2("/usr/sbin", MNT_DETACH);
        }
    }

    void stand_in(const std::string& name, int exit) {
        write_file(bin_ / name,
                   "#!/bin/sh\necho \"" + name + " $*\" >> " + calls_.native() + "\nexit " +
                       std::to_string(exit) + "\n");
        ASSERT_EQ(::chmod((bin_ / name).c_str(), 0755), 0);
        lay();
    }

    [[nodiscard]] std::string calls() const {
        return fs::exists(calls_) ? read_text(calls_) : std::string{};
    }

    Playground ground_;
    fs::path bin_ = ground_.root() / "bin";
    fs::path calls_ = ground_.root() / "calls";
    bool laid_ = false;
};

TEST_F(HealInstalls, HeadersOfTheRunningKernelAreAskedOfThePackageManager) {
    if (!fs::exists("/usr/bin/apt-get")) {
        GTEST_SKIP() << "not a Debian";
    }
    utsname kernel{};
    ASSERT_EQ(::uname(&kernel), 0);
    stand_in("apt-get", 0);
    const auto healed = run(dev_program("vigia-heal"), {"install-headers"});
    EXPECT_EQ(healed.exit, 0) << healed.err;
    EXPECT_THAT(calls(), HasSubstr("install"));
    EXPECT_THAT(calls(), HasSubstr(std::string("linux-headers-") + kernel.release));
}

TEST_F(HealInstalls, AnInstallationThatFailsIsSaidWithItsCommand) {
    stand_in("apt-get", 100);
    const auto healed = run(dev_program("vigia-heal"), {"install-headers"});
    EXPECT_EQ(healed.exit, 1);
    EXPECT_THAT(healed.err, HasSubstr("apt-get"));
    EXPECT_THAT(healed.err, HasSubstr("100"));
}

TEST_F(HealInstalls, OurSelinuxModuleIsInstalledByItsOwnFile) {
    stand_in("semodule", 0);
    const auto healed = run(dev_program("vigia-heal"), {"install-selinux-module"});
    EXPECT_EQ(healed.exit, 0) << healed.err;
    EXPECT_THAT(calls(), HasSubstr("semodule -i /usr/share/vigia/selinux/vigia-bpf.pp"));
}

TEST_F(HealInstalls, NothingOfTheCallerGoesIntoIt) {
    EXPECT_EQ(run(dev_program("vigia-heal"), {"install-headers", "--prefix", "/tmp"}).exit, 2);
    EXPECT_EQ(run(dev_program("vigia-heal"), {"install-headers", "evil"}).exit, 2);
    EXPECT_EQ(calls(), "");
}

}  // namespace
}  // namespace vigia::test
