// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 110: our own programs against what a package says that it installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "support/faults.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using namespace std::chrono_literals;

constexpr int kFault = 110;
constexpr const char* kQuick =
    "overrides = [{ id = 110, raise_after = \"50ms\", clear_after = \"50ms\" }]";

// The programs of this build, installed: in a folder of the test's own, with a manifest.
class FaultInstallation : public WatchedDisk {
protected:
    FaultInstallation() : programs_(disk_ / "programs") {
        fs::create_directories(programs_);
        for (const char* name : {"vigiad", "vigia-scand", "vigia-hash", "vigia-heal"}) {
            fs::copy_file(dev_program(name), programs_ / name);
        }
        const auto sums =
            run("/bin/sh",
                {"-c", "sha256sum \"$0\"/vigia* > \"$0\"/manifest.sha256", programs_.native()});
        EXPECT_EQ(sums.exit, 0) << sums.err;
    }

    Instance::Options installed() {
        auto all = options(quiet_policy(kQuick));
        all.programs = programs_;
        return all;
    }

    static std::vector<std::string> named(const Instance& instance) {
        std::vector<std::string> paths;
        const auto fault = fault_of(instance, kFault);
        if (fault.is_object()) {
            for (const auto& file : fault.at("evidence").at("files")) {
                paths.push_back(file.at("path").get<std::string>());
            }
        }
        return paths;
    }

    fs::path programs_;
};

TEST_F(FaultInstallation, AChangedProgramIsNamedUntilItIsAsItWas) {
    Instance instance(installed());
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(is_clear(instance, kFault));
    const auto heal = programs_ / "vigia-heal";
    std::ofstream(heal, std::ios::app) << "x";
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "files-differ"; }));
    EXPECT_THAT(named(instance), ElementsAre(heal.native()));
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("severity"), "critical");
    const auto file = fault.at("evidence").at("files").at(0);
    EXPECT_NE(file.at("found"), file.at("expected"));
    EXPECT_EQ(instance.status().at("state"), "degraded");

    fs::remove(programs_ / "vigia-hash");
    ASSERT_TRUE(eventually([&] { return named(instance).size() == 2; }));
    fs::copy_file(dev_program("vigia-hash"), programs_ / "vigia-hash");
    fs::copy_file(dev_program("vigia-heal"), heal, fs::copy_options::overwrite_existing);
    ASSERT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    EXPECT_EQ(episodes_of(instance, kFault).size(), 1U);
}

TEST_F(FaultInstallation, AnUpgradeThatWasNotFollowedByARestartIsSaid) {
    Instance instance(installed());
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(is_clear(instance, kFault));
    fs::copy_file(dev_program("vigiad"), programs_ / "new");
    fs::rename(programs_ / "new", programs_ / "vigiad");
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "restart-needed"; }));
    EXPECT_EQ(fault_of(instance, kFault).at("severity"), "minor");
    EXPECT_EQ(instance.status().at("state"), "protected");
    instance.kill(SIGTERM);
    ASSERT_TRUE(instance.wait(10s).has_value());
    ASSERT_TRUE(instance.start());
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
}

TEST_F(FaultInstallation, AManifestThatCannotBeUsedIsCritical) {
    write_file(programs_ / "manifest.sha256", "nonsense\n");
    Instance instance(installed());
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "manifest-damaged"; }));
    EXPECT_EQ(fault_of(instance, kFault).at("severity"), "critical");
}

TEST_F(FaultInstallation, WhatWasBuiltHereAndNotInstalledIsNoFault) {
    Instance instance(options(quiet_policy(kQuick)));
    ASSERT_TRUE(instance.start());
    EXPECT_TRUE(is_clear(instance, kFault));
}

}  // namespace
}  // namespace vigia::test
