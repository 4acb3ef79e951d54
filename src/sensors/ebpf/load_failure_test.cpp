// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/load_failure.h"

#include <gtest/gtest.h>
#include <linux/capability.h>

#include <cerrno>

namespace vigia::sensors {
namespace {

constexpr std::uint64_t kAll = ~0ULL;

LoadSymptoms refused() {
    return {.error = EPERM, .program = "vigia_forked", .capabilities = kAll};
}

TEST(LoadFailure, AMissingCapabilityIsNamed) {
    auto symptoms = refused();
    symptoms.capabilities = kAll & ~(1ULL << CAP_SYS_ADMIN) & ~(1ULL << CAP_BPF);
    EXPECT_EQ(classify(symptoms).cause, LoadCause::NoPermission);
    EXPECT_EQ(classify(symptoms).detail, "CAP_BPF");
    symptoms.capabilities = 0;
    symptoms.needs_net_admin = true;
    EXPECT_EQ(classify(symptoms).detail, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN");
}

TEST(LoadFailure, SysAdminStandsForTheOthers) {
    auto symptoms = refused();
    symptoms.capabilities = 1ULL << CAP_SYS_ADMIN;
    EXPECT_EQ(classify(symptoms).cause, LoadCause::NoHook);
}

TEST(LoadFailure, ARefusalOfEverythingIsSeccompOrANamespace) {
    auto symptoms = refused();
    symptoms.trivial_load_error = EPERM;
    EXPECT_EQ(classify(symptoms).cause, LoadCause::NoPermission);
    EXPECT_NE(classify(symptoms).detail, "seccomp");
    symptoms.seccomp_filter = true;
    EXPECT_EQ(classify(symptoms).detail, "seccomp");
}

TEST(LoadFailure, ARefusalOfOneProgramIsItsHookOrLockdown) {
    auto symptoms = refused();
    EXPECT_EQ(classify(symptoms).cause, LoadCause::NoHook);
    EXPECT_EQ(classify(symptoms).detail, "vigia_forked");
    symptoms.lockdown_confidential = true;
    EXPECT_EQ(classify(symptoms).cause, LoadCause::Lockdown);
}

TEST(LoadFailure, AccessDeniedIsTheVerifiersOnlyWithItsLog) {
    LoadSymptoms symptoms{.error = EACCES, .program = "p", .capabilities = kAll};
    EXPECT_EQ(classify(symptoms).cause, LoadCause::Other);
    symptoms.selinux_enforcing = true;
    EXPECT_EQ(classify(symptoms).cause, LoadCause::Selinux);
    symptoms.log = "R1 invalid mem access\nprocessed 3 insns (limit 1000000)\n";
    EXPECT_EQ(classify(symptoms).cause, LoadCause::Verifier);
}

TEST(LoadFailure, MemoryLocksCountOnOldKernelsOnly) {
    LoadSymptoms symptoms{.error = ENOMEM, .capabilities = kAll, .memlock = 65536};
    EXPECT_NE(classify(symptoms).cause, LoadCause::Memlock);
    symptoms.charges_memlock = true;
    EXPECT_EQ(classify(symptoms).cause, LoadCause::Memlock);
}

TEST(LoadFailure, OnlyTheLastLinesOfALogAreKept) {
    EXPECT_EQ(tail_of("a\nb\nc\n", 2), "b\nc");
    EXPECT_EQ(tail_of("a\nb", 5), "a\nb");
    EXPECT_EQ(tail_of("", 5), "");
    EXPECT_EQ(tail_of("\nb", 1), "b");
}

}  // namespace
}  // namespace vigia::sensors
