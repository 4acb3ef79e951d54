// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 8, by a kernel that really refuses: no permission, a limit used up, a mount that cannot be
// marked.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::seconds;

constexpr int kFault = 8;

// A limit of the whole machine, as it was when this ends. The test holds the lock of system tests.
class Limit {
public:
    explicit Limit(const char* name)
        : file_(fs::path("/proc/sys/fs/fanotify") / name), before_(read_text(file_)) {}

    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;

    ~Limit() { restore(); }

    void set(const char* value) const { write_file(file_, value); }

    void restore() const { write_file(file_, before_); }

    [[nodiscard]] bool may_be_set() const { return ::access(file_.c_str(), W_OK) == 0; }

private:
    fs::path file_;
    std::string before_;
};

class FileMonitorFaults : public WatchedDisk {
protected:
    static constexpr const char* kOnlyFiles =
        "[processes]\nmonitor = false\n[network]\ndevice_flow_correlation = false\n";

    Instance::Options plain() const { return options(kOnlyFiles); }

    Instance::Options without_sys_admin() const {
        auto options = plain();
        options.through = {"/usr/bin/setpriv", "--bounding-set=-sys_admin"};
        return options;
    }

    std::string policy_without_monitor() const {
        return fmt::format(
            "[policy]\nname = \"Off\"\nserial = 2\n[files]\nwatch = [\"{}\"]\n"
            "monitor_copies_and_moves = false\n{}",
            watched_.native(),
            kOnlyFiles);
    }

    void expect_scan_on_demand(const Instance& instance) const {
        write_file(outside_ / "on-demand", eicar_);
        const auto scan = instance.json({"scan", (outside_ / "on-demand").native()});
        ASSERT_TRUE(scan.contains("detections")) << scan.dump(1);
        EXPECT_EQ(scan.at("detections").size(), 1U) << scan.dump(1);
    }

    void expect_watching(const Instance& instance, const fs::path& file) const {
        write_file(file, eicar_);
        EXPECT_TRUE(eventually([&] { return !fs::exists(file); }))
            << instance.status().at("monitors").dump(1);
    }
};

TEST_F(FileMonitorFaults, WithoutCapSysAdminTheFaultNamesItAndTheRestWorks) {
    if (!fs::exists("/usr/bin/setpriv")) {
        GTEST_SKIP() << "setpriv (package util-linux) is not installed";
    }
    Instance instance(without_sys_admin());
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-permission"; }))
        << read_text(instance.path("daemon.err"));
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("severity"), "critical");
    EXPECT_EQ(fault.at("evidence").at("missing_capabilities"), json::array({"CAP_SYS_ADMIN"}));
    EXPECT_TRUE(fault.at("evidence").at("call").get<std::string>().starts_with("fanotify_"));
    EXPECT_EQ(fault.at("evidence").at("errno"), EPERM);
    EXPECT_NE(fault.at("description").get<std::string>().find("CAP_SYS_ADMIN"), std::string::npos);
    ASSERT_TRUE(eventually([&] { return instance.status()["scan"]["state"] == "ready"; }))
        << instance.status().dump(1);
    EXPECT_EQ(instance.status().at("state"), "unprotected");
    expect_scan_on_demand(instance);

    instance.write_policy(policy_without_monitor());
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, seconds{2}));
    EXPECT_EQ(cleared_because(instance, kFault), "not-wanted-by-policy");
    expect_one_episode(instance, kFault);
}

TEST_F(FileMonitorFaults, WhoDoesNotWantItMonitoredHasNoFault) {
    if (!fs::exists("/usr/bin/setpriv")) {
        GTEST_SKIP() << "setpriv (package util-linux) is not installed";
    }
    Instance instance(without_sys_admin());
    instance.write_policy(policy_without_monitor());
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] {
        const auto status = json::parse(instance.cli({"--json", "status"}).out, nullptr, false);
        return status.is_object() && status["scan"]["state"] == "ready";
    }));
    expect_scan_on_demand(instance);
    EXPECT_TRUE(episodes_of(instance, kFault).empty());
}

TEST_F(FileMonitorFaults, NoGroupLeftForTheUserIsALimitAndItsRaisingStartsTheWatch) {
    const Limit groups("max_user_groups");
    if (!groups.may_be_set()) {
        GTEST_SKIP() << "fs.fanotify.max_user_groups cannot be set here";
    }
    groups.set("0");
    auto by_hand = plain();
    by_hand.more += "[faults]\nself_heal = false\n";  // it is not a repair that sees it
    Instance instance(by_hand);
    ASSERT_TRUE(instance.start(false));
    const bool raised = eventually([&] { return cause_of(instance, kFault) == "limit-reached"; });
    const auto fault = fault_of(instance, kFault);
    groups.restore();
    ASSERT_TRUE(raised) << read_text(instance.path("daemon.err"));
    EXPECT_EQ(fault.at("severity"), "critical");
    EXPECT_EQ(fault.at("evidence").at("call"), "fanotify_init");
    EXPECT_EQ(fault.at("evidence").at("errno"), EMFILE);
    EXPECT_EQ(fault.at("evidence").at("group_limit"), 0);
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, seconds{5}));
    EXPECT_EQ(cleared_because(instance, kFault), "condition-gone");
    expect_one_episode(instance, kFault);
    expect_watching(instance, watched_ / "after");
}

TEST_F(FileMonitorFaults, TheRepairByHandOpensTheWatchAgain) {
    const Limit groups("max_user_groups");
    if (!groups.may_be_set()) {
        GTEST_SKIP() << "fs.fanotify.max_user_groups cannot be set here";
    }
    groups.set("0");
    Instance instance(plain());
    ASSERT_TRUE(instance.start(false));
    const bool raised = eventually([&] { return cause_of(instance, kFault) == "limit-reached"; });
    const auto rehearsed = instance.json({"faults", "fix", "8", "--dry-run"});
    groups.restore();
    ASSERT_TRUE(raised);
    EXPECT_TRUE(rehearsed.at("dry_run").get<bool>());
    EXPECT_TRUE(eventually([&] {
        (void)instance.cli({"faults", "fix", "8"});
        return is_clear(instance, kFault);
    }));
    expect_watching(instance, watched_ / "after");
    expect_one_episode(instance, kFault);
}

// No file system of this kernel was found that refuses every kind of mark: one that has no handles
// or no identity of its own takes a mark of its mount. A limit refuses those of the next mount.
TEST_F(FileMonitorFaults, AMountThatCannotBeMarkedIsNamedAndTheOthersStayWatched) {
    const Limit marks("max_user_marks");
    if (!marks.may_be_set()) {
        GTEST_SKIP() << "fs.fanotify.max_user_marks cannot be set here";
    }
    auto by_hand = plain();
    by_hand.more += "[faults]\nself_heal = false\n";
    Instance instance(by_hand);
    ASSERT_TRUE(instance.start());
    marks.set("0");
    const auto late = ground_.tmpfs("disk/watched/late", "size=16m");
    const bool raised = eventually([&] { return cause_of(instance, kFault) == "limit-reached"; });
    const auto fault = fault_of(instance, kFault);
    const auto state = instance.status().at("state");
    marks.restore();
    ASSERT_TRUE(raised) << instance.status().at("monitors").dump(1);
    EXPECT_EQ(fault.at("severity"), "major");
    EXPECT_EQ(fault.at("evidence").at("call"), "fanotify_mark");
    EXPECT_EQ(fault.at("evidence").at("errno"), ENOSPC);
    ASSERT_EQ(fault.at("evidence").at("mounts").size(), 1U) << fault.dump(1);
    EXPECT_EQ(fault.at("evidence").at("mounts").at(0).at("path"), late.native());
    EXPECT_EQ(fault.at("evidence").at("mounts").at(0).at("type"), "tmpfs");
    EXPECT_EQ(state, "degraded");
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, seconds{5}));
    expect_watching(instance, late / "after");
    expect_watching(instance, watched_ / "after");
    expect_one_episode(instance, kFault);
}

}  // namespace
}  // namespace vigia::test
