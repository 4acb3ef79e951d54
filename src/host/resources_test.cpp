// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "host/listeners.h"
#include "host/memory.h"
#include "host/security.h"
#include "support/root_fixture.h"

namespace vigia::host {
namespace {

using namespace std::string_view_literals;
using test::RootFixture;
using testing::Contains;
using testing::Field;
using testing::IsEmpty;

constexpr std::uint64_t kMiB = 1U << 20U;

MemoryFacts memory_of(const RootFixture& fixture) {
    return memory(*Root::open(fixture.path()));
}

RootFixture& with_meminfo(RootFixture& fixture) {
    return fixture.file("proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n");
}

TEST(MemoryFactsTest, WithoutALimitIsThatOfTheMachine) {
    RootFixture fixture;
    with_meminfo(fixture);
    const auto facts = memory_of(fixture);
    EXPECT_EQ(*facts.total, 2048 * kMiB);
    EXPECT_EQ(*facts.available, 1024 * kMiB);
    EXPECT_FALSE(facts.limit->has_value());
    EXPECT_EQ(*facts.usable, 2048 * kMiB);
}

TEST(MemoryFactsTest, TakesTheTightestLimitOnTheWayUpOfV2) {
    RootFixture fixture;
    with_meminfo(fixture)
        .file("proc/self/cgroup", "0::/system.slice/vigiad.service\n")
        .file("proc/self/mountinfo", "30 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .file("sys/fs/cgroup/system.slice/vigiad.service/memory.max", "max\n")
        .file("sys/fs/cgroup/system.slice/memory.max", "536870912\n")
        .file("sys/fs/cgroup/other.slice/memory.max", "4096\n");
    const auto facts = memory_of(fixture);
    EXPECT_EQ(*facts.usable, 512 * kMiB);
    EXPECT_EQ((*facts.limit)->file, "/sys/fs/cgroup/system.slice/memory.max");
}

TEST(MemoryFactsTest, FindsTheControllerOfV1AmongTheMounts) {
    RootFixture fixture;
    with_meminfo(fixture)
        .file("proc/self/cgroup", "4:memory:/docker/abc\n0::/\n")
        .file("proc/self/mountinfo",
              "31 1 0:31 /docker/abc /cg/mem rw - cgroup cgroup rw,memory\n"
              "32 1 0:32 / /cg/cpu rw - cgroup cgroup rw,cpu\n")
        .file("cg/mem/memory.limit_in_bytes", "268435456\n");
    EXPECT_EQ(*memory_of(fixture).usable, 256 * kMiB);
}

TEST(OomKills, AreThoseOfOurCgroupInEitherHierarchy) {
    RootFixture v1;
    v1.file("proc/self/cgroup", "4:memory:/a\n0::/\n")
        .file("proc/self/mountinfo", "31 1 0:31 / /cg/mem rw - cgroup cgroup rw,memory\n")
        .file("cg/mem/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
        .file("cg/mem/memory.oom_control", "oom_kill 9\n");
    EXPECT_EQ(*oom_kills(*Root::open(v1.path())), 3U);
    RootFixture v2;
    v2.file("proc/self/cgroup", "0::/system.slice/vigiad.service\n")
        .file("proc/self/mountinfo", "30 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .file("sys/fs/cgroup/system.slice/vigiad.service/memory.events",
              "low 0\nhigh 0\nmax 7\noom 5\noom_kill 2\noom_group_kill 0\n");
    EXPECT_EQ(*oom_kills(*Root::open(v2.path())), 2U);
}

TEST(OomKills, AreUnknownWhereNobodyCounts) {
    RootFixture old;
    old.file("proc/self/cgroup", "4:memory:/\n")
        .file("proc/self/mountinfo", "31 1 0:31 / /cg/mem rw - cgroup cgroup rw,memory\n")
        .file("cg/mem/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
    EXPECT_FALSE(oom_kills(*Root::open(old.path())).is_known());
    const RootFixture nothing;
    EXPECT_FALSE(oom_kills(*Root::open(nothing.path())).is_known());
    EXPECT_FALSE(parse_oom_kills("oom_kill many\n").has_value());
}

TEST(MemoryFactsTest, LooksAtTheUsualPlacesWhereNobodySaysWhatIsMounted) {
    RootFixture fixture;
    with_meminfo(fixture).file("sys/fs/cgroup/memory.max", "1073741824\n");
    EXPECT_EQ(*memory_of(fixture).usable, 1024 * kMiB);
}

TEST(MemoryFactsTest, OfASmallMachineIsSmallerThanTheLimit) {
    RootFixture fixture;
    fixture.file("proc/meminfo", "MemTotal: 524288 kB\nMemAvailable: 1 kB\n")
        .file("sys/fs/cgroup/memory.max", "1073741824\n");
    EXPECT_EQ(*memory_of(fixture).usable, 512 * kMiB);
}

TEST(MemoryFactsTest, IsUnknownWhenALimitIsNotUnderstood) {
    RootFixture fixture;
    with_meminfo(fixture).file("sys/fs/cgroup/memory.max", "plenty\n");
    const auto facts = memory_of(fixture);
    EXPECT_TRUE(facts.total.is_known());
    EXPECT_FALSE(facts.limit.is_known());
    EXPECT_FALSE(facts.usable.is_known());
}

TEST(ListenersTest, FindsGroupsAndKnownProgramsInAFixture) {
    RootFixture fixture;
    fixture.file("proc/77/comm", "clamonacc\n")
        .file("proc/77/fdinfo/5",
              "pos:\t0\nfanotify flags:4 event-flags:0\nfanotify mnt_id:1 mflags:0 mask:10000 "
              "ignored_mask:0\n")
        .file("proc/77/fdinfo/6", "pos:\t0\n")
        .file("proc/78/comm", "bash\n")
        .folder("proc/78/fdinfo")
        .link("proc/77/exe", "/usr/sbin/clamonacc");
    const auto found = listeners(*Root::open(fixture.path()), 0);
    ASSERT_TRUE(found.is_known());
    EXPECT_EQ(found->processes, 2U);
    ASSERT_EQ(found->listeners.size(), 1U);
    EXPECT_EQ(found->listeners[0],
              (FanotifyListener{77, "clamonacc", "/usr/sbin/clamonacc", true, true}));
    ASSERT_EQ(found->programs.size(), 1U);
    EXPECT_EQ(found->programs[0].product, "ClamAV on-access scanning");
}

TEST(ListenersTest, LeavesOutOurselvesAndIsUnknownWithoutProcesses) {
    RootFixture fixture;
    fixture.file("proc/77/comm", "clamonacc\n");
    EXPECT_THAT(listeners(*Root::open(fixture.path()), 77)->programs, IsEmpty());
    fixture.remove("proc/77");
    EXPECT_FALSE(listeners(*Root::open(fixture.path()), 0).is_known());
}

TEST(ListenersTest, SeesAGroupOfThisProcessInTheRealProc) {
    const UniqueFd group{::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY)};
    if (!group) {
        GTEST_SKIP() << "fanotify_init needs CAP_SYS_ADMIN";
    }
    const auto root = *Root::open("/");
    const auto mine = testing::AllOf(Field(&FanotifyListener::pid, ::getpid()),
                                     Field(&FanotifyListener::permission_class, true));
    EXPECT_THAT(listeners(root, 0)->listeners, Contains(mine));
    EXPECT_THAT(listeners(root, ::getpid())->listeners, testing::Not(Contains(mine)));
}

TEST(Limits, AreReadOrUnknown) {
    RootFixture fixture;
    fixture.file("proc/sys/fs/fanotify/max_user_groups", "128\n")
        .file("proc/sys/fs/fanotify/max_user_marks", "x\n");
    const auto limits = fanotify_limits(*Root::open(fixture.path()));
    EXPECT_EQ(*limits.max_user_groups, 128U);
    EXPECT_FALSE(limits.max_user_marks.is_known());
    EXPECT_FALSE(limits.max_queued_events.is_known());
}

TEST(Pressure, IsThereOrNotOrUnknown) {
    RootFixture fixture;
    const auto root = *Root::open(fixture.path());
    EXPECT_FALSE(has_pressure(root).is_known());
    fixture.file("proc/sys/kernel/osrelease", "6.1.0");
    EXPECT_FALSE(*has_pressure(root));
    fixture.file("proc/pressure/memory", "some avg10=0.00\n");
    EXPECT_TRUE(*has_pressure(root));
}

TEST(SecureBootFact, TellsAMachineWithoutEfiFromOneThatDoesNotSay) {
    constexpr auto kVariable =
        "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    RootFixture fixture;
    const auto root = *Root::open(fixture.path());
    EXPECT_FALSE(secure_boot(root).is_known());
    fixture.folder("sys/firmware");
    EXPECT_EQ(*secure_boot(root), SecureBoot::NotEfi);
    fixture.folder("sys/firmware/efi/efivars");
    EXPECT_FALSE(secure_boot(root).is_known());  // efivarfs is not mounted
    fixture.file("sys/firmware/efi/efivars/BootOrder-x", "x");
    EXPECT_EQ(*secure_boot(root), SecureBoot::Disabled);
    fixture.file(kVariable, "\x06\0\0\0\x01"sv);
    EXPECT_EQ(*secure_boot(root), SecureBoot::Enabled);
    fixture.file(kVariable, "on");
    EXPECT_FALSE(secure_boot(root).is_known());
}

TEST(LockdownFact, IsAbsentWhereSecurityfsHasNone) {
    RootFixture fixture;
    const auto root = *Root::open(fixture.path());
    EXPECT_FALSE(lockdown(root).is_known());
    fixture.file("sys/kernel/security/lsm", "capability");
    EXPECT_EQ(*lockdown(root), Lockdown::Absent);
    fixture.file("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    EXPECT_EQ(*lockdown(root), Lockdown::Integrity);
}

}  // namespace
}  // namespace vigia::host
