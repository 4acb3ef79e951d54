// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 108, by a scan service whose walls were really taken away (test_hooks.h of scand/).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/faults.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kFault = 108;
constexpr const char* kSignature = "aa15bcf478d165efd2065190eb473bcb:544:Test.Good\n";

class FaultSandbox : public WatchedDisk {
protected:
    FaultSandbox() {
        fs::create_directories(source_);
        publish("good.hdb");
    }

    Instance::Options from_source() const {
        return options(quiet_policy("overrides = [{ id = 108, clear_after = \"0ms\" }]") +
                       fmt::format("[definitions]\nsources = [{{ kind = \"folder\", path = \"{}\" "
                                   "}}]\n",
                                   source_.native()));
    }

    void publish(const std::string& name) const {
        write_file(source_ / ("." + name), kSignature);
        fs::rename(source_ / ("." + name), source_ / name);
    }

    // What holds a worker, as the kernel has it.
    static std::string line_of(pid_t pid, const std::string& key) {
        std::istringstream status(read_text(fmt::format("/proc/{}/status", pid)));
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with(key + ":")) {
                return line.substr(line.find_first_not_of(" \t", key.size() + 1));
            }
        }
        return "";
    }

    static bool in_own_mount_namespace(pid_t pid) {
        std::error_code gone;
        return fs::read_symlink(fmt::format("/proc/{}/ns/mnt", pid), gone) !=
               fs::read_symlink("/proc/self/ns/mnt", gone);
    }

    fs::path source_ = ground_.root() / "source";
};

TEST_F(FaultSandbox, WithoutLandlockAndNamespacesItIsSaidAndScanningGoesOn) {
    Instance instance(from_source());
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(is_clear(instance, kFault));
    ASSERT_FALSE(instance.workers().empty());
    EXPECT_TRUE(in_own_mount_namespace(instance.workers().front()));

    publish("vigia-test-no-file-walls.hdb");
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-file-isolation"; }))
        << fault_of(instance, kFault).dump(1) << read_text(instance.path("daemon.err"));
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("severity"), "major");
    EXPECT_EQ(fault.at("evidence").at("seccomp"), true);
    EXPECT_EQ(fault.at("evidence").at("landlock"), false);
    EXPECT_EQ(fault.at("evidence").at("namespaces"), false);
    EXPECT_EQ(instance.status().at("state"), "degraded");
    ASSERT_TRUE(eventually([&] {
        const auto workers = instance.workers();
        return !workers.empty() && !in_own_mount_namespace(workers.front());
    })) << "it is really so";
    EXPECT_EQ(line_of(instance.workers().front(), "Seccomp"), "2");
    write_file(watched_ / "infected", eicar_);
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "infected"); }));

    fs::remove(source_ / "vigia-test-no-file-walls.hdb");
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    expect_one_episode(instance, kFault);
}

TEST_F(FaultSandbox, WithoutASystemCallFilterItIsSaid) {
    Instance instance(from_source());
    ASSERT_TRUE(instance.start());
    publish("vigia-test-no-call-walls.hdb");
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-system-call-filter"; }))
        << fault_of(instance, kFault).dump(1) << read_text(instance.path("daemon.err"));
    EXPECT_EQ(fault_of(instance, kFault).at("evidence").at("seccomp"), false);
    EXPECT_EQ(fault_of(instance, kFault).at("evidence").at("namespaces"), true);
    ASSERT_TRUE(eventually([&] {
        const auto workers = instance.workers();
        return !workers.empty() && line_of(workers.front(), "Seccomp") == "0";
    })) << "it is really so";
    EXPECT_THAT(instance.cli({"faults", "show", "108"}).out, HasSubstr("no seccomp"));

    fs::remove(source_ / "vigia-test-no-call-walls.hdb");
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    expect_one_episode(instance, kFault);
}

}  // namespace
}  // namespace vigia::test
