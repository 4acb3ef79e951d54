// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 5, by the tools with which an administrator brings it about, on a private copy of /etc: the
// machine's accounts are never touched.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>

#include "support/faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::seconds;

constexpr int kFault = 5;
constexpr const char* kUser = "vigia-scan";

// A tmpfs with a copy of /etc over /etc, in the mount namespace that Playground has entered. All of
// it, because the tools of shadow replace their files by renaming.
class PrivateEtc {
public:
    PrivateEtc() {
        std::error_code error;
        if (fs::read_symlink("/proc/self/ns/mnt", error) ==
            fs::read_symlink(fmt::format("/proc/{}/ns/mnt", ::getppid()), error)) {
            throw std::runtime_error("no mount namespace of the test's own");
        }
        const auto kept = keep_.tmpfs("etc", "mode=755,size=256m");
        const auto copied = run("/bin/cp", {"-a", "/etc/.", kept.native()});
        // Never go on with the machine's own.
        if (copied.exit != 0 || ::mount(kept.c_str(), "/etc", nullptr, MS_BIND, nullptr) != 0) {
            throw std::runtime_error("no private /etc: " + copied.err);
        }
    }

    PrivateEtc(const PrivateEtc&) = delete;
    PrivateEtc& operator=(const PrivateEtc&) = delete;

    ~PrivateEtc() { ::umount2("/etc", MNT_DETACH); }

    static bool make_read_only(bool wanted) {
        unsigned long flags = MS_BIND | MS_REMOUNT;
        flags |= wanted ? static_cast<unsigned long>(MS_RDONLY) : 0UL;
        return ::mount(nullptr, "/etc", nullptr, flags, nullptr) == 0;
    }

private:
    Playground keep_;
};

class ScanUserFaults : public WatchedDisk {
protected:
    ScanUserFaults() {
        if (run("/usr/bin/getent", {"passwd", kUser}).exit != 0) {
            const auto made = run("/usr/sbin/useradd",
                                  {"--system",
                                   "--user-group",
                                   "--no-create-home",
                                   "--home-dir",
                                   "/nonexistent",
                                   "--shell",
                                   "/usr/sbin/nologin",
                                   kUser});
            EXPECT_EQ(made.exit, 0) << made.err;
        }
    }

    Instance::Options with(bool self_heal) const {
        return options(
            fmt::format("[processes]\nmonitor = false\n[network]\ndevice_flow_correlation = false\n"
                        "[faults]\nself_heal = {}\n",
                        self_heal));
    }

    static std::string scan_user(const Instance& instance) {
        return instance.status().at("scan").value("user", "");
    }

    static void remove_user() {
        const auto removed = run("/usr/sbin/userdel", {"-f", kUser});
        ASSERT_EQ(removed.exit, 0) << removed.err;
    }

    void expect_scanning(const Instance& instance, const char* name) const {
        write_file(watched_ / name, eicar_);
        EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / name); }))
            << name << instance.status().at("scan").dump(1);
    }

    PrivateEtc etc_;
};

TEST_F(ScanUserFaults, ARemovedUserIsMissedAtOnceAndScanningGoesOnAsRootInTheSandbox) {
    Instance instance(with(false));
    ASSERT_TRUE(instance.start());
    ASSERT_EQ(scan_user(instance), kUser);
    ASSERT_EQ(raised(instance), std::set<int>{});
    const auto daemon = instance.pid();
    remove_user();
    ASSERT_TRUE(
        eventually([&] { return cause_of(instance, kFault) == "user-missing"; }, seconds{2}));
    EXPECT_EQ(fault_of(instance, kFault).at("severity"), "major");
    ASSERT_TRUE(eventually([&] { return scan_user(instance) == "root"; }))
        << instance.status().at("scan").dump(1);
    ASSERT_TRUE(eventually([&] {
        return fault_of(instance, kFault)["evidence"]["running_as"] == "root";
    })) << fault_of(instance, kFault).dump(1);
    const auto evidence = fault_of(instance, kFault)["evidence"];
    EXPECT_EQ(evidence.at("user"), kUser);
    EXPECT_NE(evidence.at("sandbox").get<std::string>().find("seccomp"), std::string::npos);
    for (const pid_t worker : instance.workers()) {
        const auto status = read_text(fmt::format("/proc/{}/status", worker));
        EXPECT_NE(status.find("CapEff:\t0000000000000000"), std::string::npos) << status;
        EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos) << status;
    }
    expect_scanning(instance, "as-root");

    const auto rehearsed = instance.json({"faults", "fix", "5", "--dry-run"});
    EXPECT_TRUE(rehearsed.at("dry_run").get<bool>());
    EXPECT_NE(run("/usr/bin/getent", {"passwd", kUser}).exit, 0) << "only rehearsed";
    const auto fixed = instance.cli({"faults", "fix", "5"});
    EXPECT_EQ(fixed.exit, 0) << fixed.out << fixed.err;
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    EXPECT_TRUE(eventually([&] { return scan_user(instance) == kUser; }))
        << instance.status().at("scan").dump(1);
    EXPECT_EQ(instance.pid(), daemon);
    EXPECT_FALSE(instance.wait(std::chrono::milliseconds{0}).has_value()) << "no restart";
    expect_scanning(instance, "as-its-user");
    expect_one_episode(instance, kFault);
}

TEST_F(ScanUserFaults, SelfHealMakesTheUserAgain) {
    Instance instance(with(true));
    ASSERT_TRUE(instance.start());
    remove_user();
    EXPECT_TRUE(eventually([&] { return cleared_because(instance, kFault) == "healed"; }))
        << instance.json({"faults", "history"}).dump(1);
    EXPECT_EQ(run("/usr/bin/getent", {"passwd", kUser}).exit, 0);
    EXPECT_TRUE(eventually([&] { return scan_user(instance) == kUser; }));
    expect_one_episode(instance, kFault);
}

TEST_F(ScanUserFaults, AChangedModeIsNamedWithFoundAndExpected) {
    Instance instance(with(false));
    ASSERT_TRUE(instance.start());
    const auto folder = instance.path("var/lib/vigia/quarantine");
    ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
    ASSERT_TRUE(
        eventually([&] { return cause_of(instance, kFault) == "perm-changed"; }, seconds{2}));
    const auto evidence = fault_of(instance, kFault)["evidence"];
    ASSERT_EQ(evidence.at("paths").size(), 1U) << evidence.dump(1);
    const auto& wrong = evidence.at("paths").at(0);
    EXPECT_EQ(wrong.at("path"), folder.native());
    EXPECT_EQ(wrong.at("found").at("mode"), "0777");
    EXPECT_EQ(wrong.at("expected").at("mode"), "0700");
    // What it advises, taken at its word.
    const auto command = evidence.at("commands").at(0).get<std::string>();
    EXPECT_EQ(run("/bin/sh", {"-c", command}).exit, 0) << command;
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    EXPECT_EQ(cleared_because(instance, kFault), "condition-gone");
    expect_one_episode(instance, kFault);
}

TEST_F(ScanUserFaults, SelfHealRestoresTheMode) {
    Instance instance(with(true));
    ASSERT_TRUE(instance.start());
    for (const auto* name : {"var/lib/vigia/quarantine", "var/log/vigia", "run/vigia"}) {
        ASSERT_EQ(::chmod(instance.path(name).c_str(), 0777), 0);
    }
    const auto mode = [&](const char* name) {
        return static_cast<unsigned>(fs::status(instance.path(name)).permissions());
    };
    EXPECT_TRUE(eventually([&] {
        return mode("var/lib/vigia/quarantine") == 0700 && mode("var/log/vigia") == 0750 &&
               mode("run/vigia") == 0755;
    })) << fault_of(instance, kFault).dump(1);
    EXPECT_TRUE(eventually([&] { return cleared_because(instance, kFault) == "healed"; }))
        << instance.json({"faults", "history"}).dump(1);
}

TEST_F(ScanUserFaults, ALoginShellIsAMisconfiguration) {
    Instance instance(with(true));
    ASSERT_TRUE(instance.start());
    ASSERT_EQ(run("/usr/sbin/usermod", {"-s", "/bin/bash", kUser}).exit, 0);
    ASSERT_TRUE(
        eventually([&] { return cause_of(instance, kFault) == "user-misconfigured"; }, seconds{2}));
    const auto evidence = fault_of(instance, kFault)["evidence"];
    EXPECT_EQ(evidence.at("problems"), json::array({"login-shell"}));
    EXPECT_EQ(evidence.at("shell"), "/bin/bash");
    const auto command = evidence.at("commands").at(0).get<std::string>();
    EXPECT_EQ(run("/bin/sh", {"-c", command}).exit, 0) << command;
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    expect_one_episode(instance, kFault);
}

TEST_F(ScanUserFaults, WhereTheUserCannotBeMadeTheErrorAndLoginDefsAreShown) {
    Instance instance(with(true));
    ASSERT_TRUE(instance.start());
    const auto defs = run(
        "/bin/sed", {"-i", "-E", "s/^#?USERGROUPS_ENAB.*/USERGROUPS_ENAB no/", "/etc/login.defs"});
    ASSERT_EQ(defs.exit, 0) << defs.err;
    ASSERT_NE(read_text("/etc/login.defs").find("\nUSERGROUPS_ENAB no"), std::string::npos);
    // Removed and read-only before any repair can begin.
    instance.kill(SIGSTOP);
    remove_user();
    (void)run("/usr/sbin/groupdel", {kUser});
    ASSERT_TRUE(PrivateEtc::make_read_only(true));
    instance.kill(SIGCONT);
    ASSERT_TRUE(eventually([&] {
        const auto fault = fault_of(instance, kFault);
        return fault.is_object() && fault["cause"] == "creation-restricted" &&
               fault["heal"]["last_result"].is_string();
    })) << fault_of(instance, kFault).dump(1);
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("evidence").at("usergroups_enab"), "no");
    EXPECT_NE(fault.at("heal").at("last_result"), "done") << fault.dump(1);
    EXPECT_TRUE(eventually([&] { return scan_user(instance) == "root"; }));
    expect_scanning(instance, "as-root");

    ASSERT_TRUE(PrivateEtc::make_read_only(false));
    const auto fixed = instance.cli({"faults", "fix", "5"});
    EXPECT_EQ(fixed.exit, 0) << fixed.out << fixed.err;
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    EXPECT_TRUE(eventually([&] { return scan_user(instance) == kUser; }));
    expect_one_episode(instance, kFault);
}

}  // namespace
}  // namespace vigia::test
