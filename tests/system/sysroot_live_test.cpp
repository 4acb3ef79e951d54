// SPDX-License-Identifier: GPL-2.0-or-later
// vigiad --sysroot: the facts of a host change under the running daemon.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/faults.h"
#include "support/instance.h"
#include "support/playground.h"
#include "support/root_fixture.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kUser = 5;
constexpr int kSelinux = 19;
constexpr const char* kKernel = "4.18.0-513.5.1.el8_9.x86_64";
constexpr const char* kOthers = "root:x:0:0:root:/root:/bin/bash\n";
constexpr const char* kScanUser = "vigia-scan:x:990:990::/nonexistent:/usr/sbin/nologin\n";

class SysrootLive : public testing::Test {
protected:
    SysrootLive() {
        fs::create_directories(watched_);
        root_.file("etc/passwd", std::string(kOthers) + kScanUser)
            .file("etc/group", "root:x:0:\nadm:x:4:\nvigia-scan:x:990:\n")
            .file("etc/shadow", "root:*:19000::::::\nvigia-scan:!:19000::::::\n", 0600)
            .file("etc/login.defs", "USERGROUPS_ENAB yes\n")
            .file("etc/os-release", "ID=rhel\nVERSION_ID=\"8.9\"\nID_LIKE=\"fedora\"\n")
            .file("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n")
            .file("sys/fs/selinux/enforce", "0")
            .file("etc/selinux/config", "SELINUX=permissive\nSELINUXTYPE=targeted\n")
            .program("usr/bin/dnf");
        root_.running(kKernel)
            .kernel(kKernel,
                    "CONFIG_FANOTIFY=y\nCONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_BPF_EVENTS=y\n"
                    "CONFIG_CGROUP_BPF=y\nCONFIG_CGROUPS=y\nCONFIG_PERF_EVENTS=y\n"
                    "CONFIG_TRACEPOINTS=y\nCONFIG_TRACING=y\nCONFIG_INET=y\nCONFIG_KPROBES=y\n")
            .btf();
    }

    // As tools do it that change such files: nobody ever reads half of one.
    void replace(const std::string& name, const std::string& content) const {
        const auto file = root_.path() / name;
        write_file(file.native() + ".new", content);
        fs::rename(file.native() + ".new", file);
    }

    [[nodiscard]] Instance::Options options(const std::string& more = "") const {
        return {.prefix = ground_.root() / "p",
                .watch = {watched_.native()},
                .more = more,
                .through = {"/bin/sh",
                            "-c",
                            fmt::format("exec \"$@\" --sysroot {}", root_.path().native()),
                            "sh"}};
    }

    Playground ground_;
    fs::path watched_ = ground_.tmpfs("disk", "size=16m") / "watched";
    RootFixture root_;
};

TEST_F(SysrootLive, SelinuxAndAccountsAreFollowedAndEachIsToldOnce) {
    Instance instance(options("[faults]\nself_heal = false\n"));
    ASSERT_TRUE(instance.start());
    EXPECT_TRUE(is_clear(instance, kUser));
    EXPECT_TRUE(is_clear(instance, kSelinux));

    replace("sys/fs/selinux/enforce", "1");
    ASSERT_TRUE(
        eventually([&] { return cause_of(instance, kSelinux) == "module-not-installed"; }, 10s))
        << instance.cli({"faults"}).out;
    replace("etc/passwd", kOthers);
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kUser) == "user-missing"; }, 10s))
        << instance.cli({"faults"}).out;

    replace("sys/fs/selinux/enforce", "0");
    ASSERT_TRUE(eventually([&] { return is_clear(instance, kSelinux); }, 10s));
    replace("etc/passwd", std::string(kOthers) + kScanUser);
    ASSERT_TRUE(eventually([&] { return is_clear(instance, kUser); }, 10s));

    const auto events = instance.events();
    for (const int id : {kUser, kSelinux}) {
        EXPECT_EQ(told(events, id, "fault-raised"), 1) << id;
        EXPECT_EQ(told(events, id, "fault-cleared"), 1) << id;
    }
}

TEST_F(SysrootLive, AThousandFlipsEndAsOneFlappingFault) {
    Instance instance(
        options("[faults]\nself_heal = false\n"
                "overrides = [{ id = 5, clear_after = \"0s\" }]\n"));
    ASSERT_TRUE(instance.start());
    const std::string with = std::string(kOthers) + kScanUser;
    for (int flip = 0; flip < 1000; ++flip) {
        replace("etc/passwd", flip % 2 == 0 ? kOthers : with);
        // The first ones one by one, so that each is seen; then as fast as it goes.
        if (flip < 14) {
            ASSERT_TRUE(eventually([&] {
                const auto fault = fault_of(instance, kUser);
                return flip % 2 == 0 ? fault.is_object()
                                     : fault.is_null() || fault.value("flapping", false);
            })) << flip;
        }
    }
    ASSERT_TRUE(eventually([&] {
        const auto fault = fault_of(instance, kUser);
        return fault.is_object() && fault.value("flapping", false);
    })) << instance.cli({"faults"}).out;
    const auto events = instance.events();
    EXPECT_LE(told(events, kUser, "fault-raised"), 6);
    EXPECT_LE(told(events, kUser, "fault-cleared"), 5);
    EXPECT_LE(told(events, kUser, "fault-updated"), 20);
}

TEST_F(SysrootLive, SwitchingTheOptionsOffClearsWithThatReason) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    replace("sys/fs/selinux/enforce", "1");
    ASSERT_TRUE(eventually([&] { return !is_clear(instance, kSelinux); }, 10s));
    auto off =
        options("[network]\ndevice_flow_correlation = false\n[processes]\nmonitor = false\n");
    Instance(off).write_policy();
    ASSERT_TRUE(eventually([&] { return is_clear(instance, kSelinux); }, 10s));
    EXPECT_EQ(cleared_because(instance, kSelinux), "not-wanted-by-policy");
}

}  // namespace
}  // namespace vigia::test
