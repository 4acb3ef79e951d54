// SPDX-License-Identifier: GPL-2.0-or-later
// What happens where less is allowed, or less is known of the kernel.
#include <bpf/btf.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>

#include "sensors/ebpf/derived_btf.h"
#include "support/bpf_allowed.h"
#include "support/kernel_recorder.h"
#include "support/told_child.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;
using sensors::KernelSensor;
using sensors::kLoadCauseNames;

// "cause detail errno" of opening a sensor in a child that `prepare` has robbed of something.
std::string opened_after(const std::function<bool()>& prepare, bool network) {
    ToldChild child([&](const std::string&, int) -> std::string {
        if (!prepare()) {
            return "could not prepare";
        }
        const auto sensor = KernelSensor::open({.processes = !network, .network = network}, {});
        if (sensor) {
            return "opened";
        }
        const auto& failure = sensor.error();
        return std::string(kLoadCauseNames.at(static_cast<std::size_t>(failure.cause))) + ", " +
               failure.detail + ", " + std::to_string(failure.error);
    });
    return child.ask("go");
}

bool drop(std::initializer_list<int> capabilities) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {};  // NOLINT: two words of 32 bits
    if (::syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    for (const int one : capabilities) {
        data[one / 32].effective &= ~(1U << (one % 32));  // NOLINT
    }
    return ::syscall(SYS_capset, &header, data) == 0;
}

bool forbid_bpf(unsigned error) {
    sock_filter filter[] = {// NOLINT
                            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{.len = std::size(filter), .filter = filter};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

class EbpfLadder : public ::testing::Test {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
    }
};

const std::string kEperm = std::to_string(EPERM);

TEST_F(EbpfLadder, AMissingCapabilityIsNamed) {
    EXPECT_EQ(opened_after([] { return drop({CAP_SYS_ADMIN, CAP_BPF}); }, false),
              "no-permission, CAP_BPF, " + kEperm);
    EXPECT_EQ(opened_after([] { return drop({CAP_SYS_ADMIN, CAP_PERFMON}); }, false),
              "no-permission, CAP_PERFMON, " + kEperm);
    EXPECT_EQ(opened_after([] { return drop({CAP_SYS_ADMIN, CAP_BPF, CAP_NET_ADMIN}); }, true),
              "no-permission, CAP_BPF, CAP_NET_ADMIN, " + kEperm);
}

TEST_F(EbpfLadder, AForbiddenBpfIsSeccomps) {
    EXPECT_EQ(opened_after([] { return forbid_bpf(EPERM); }, false),
              "no-permission, seccomp, " + kEperm);
}

TEST_F(EbpfLadder, ALowMemoryLockLimitIsNoFailureOnThisKernel) {
    utsname name{};
    ASSERT_EQ(::uname(&name), 0);
    const auto lower = [] {
        const rlimit limit{.rlim_cur = 65536, .rlim_max = 65536};
        return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
    };
    EXPECT_EQ(opened_after(lower, false), "opened") << name.release;
}

TEST_F(EbpfLadder, WithoutBtfItSaysSoAndWithAFileOfItTheSameEventsCome) {
    const auto without = KernelSensor::open({.hide_btf = true}, {});
    ASSERT_FALSE(without.has_value());
    EXPECT_EQ(without.error().cause, sensors::LoadCause::NoBtf);

    KernelRecorder recorder;
    ToldChild child([](const std::string&, int) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::execl("/bin/true", "true", nullptr);
            ::_exit(127);
        }
        ::waitpid(pid, nullptr, 0);
        return std::to_string(pid);
    });
    auto sensor = KernelSensor::open(
        {.network = false, .btf_file = "/sys/kernel/btf/vmlinux", .hide_btf = true},
        recorder.observer());
    ASSERT_TRUE(sensor.has_value()) << sensor.error().message() << sensor.error().log;
    EXPECT_EQ(sensor->state().backend, "ebpf-derived");
    const pid_t pid = std::stoi(child.ask("go"));
    ASSERT_TRUE(sensor->drain(10s).has_value());
    const auto execs = recorder.processes<ProcessExec>(
        [&](const ProcessExec& exec) { return exec.process.who.key.pid == pid; });
    ASSERT_EQ(execs.size(), 1U);
    EXPECT_EQ(execs[0].process.path, std::filesystem::canonical("/bin/true").native());
    EXPECT_EQ(sensor->snapshot().error().cause, sensors::LoadCause::NoBtf);
}

// Needs the headers of any kernel, as Debian's linux-headers packages put them.
TEST(EbpfDerivedTypes, TypesAreDerivedFromHeadersOnceAndThenKept) {
    std::filesystem::path build;
    const char* given = ::getenv("VIGIA_TEST_HEADERS");  // NOLINT(concurrency-mt-unsafe)
    const std::filesystem::path sources = given != nullptr ? given : "/usr/src";
    for (const auto& entry : std::filesystem::directory_iterator(sources)) {
        const auto name = entry.path().filename().native();
        if (name.starts_with("linux-headers-") && !name.ends_with("-common")) {
            build = entry.path();
        }
    }
    const auto clang = sensors::find_clang();
    if (build.empty() || clang.empty()) {
        GTEST_SKIP() << "no kernel headers in " << sources << ", or no clang";
    }
    char folder[] = "/tmp/vigia-btf-XXXXXX";  // NOLINT
    ASSERT_NE(::mkdtemp(folder), nullptr);
    const sensors::DerivedBtf options{
        .release = "test", .build = build, .cache = folder, .clang = clang};
    const auto made = sensors::derive_btf(options);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    btf* types = ::btf__parse_raw(made->c_str());
    ASSERT_NE(types, nullptr);
    for (const auto* name : {"task_struct", "linux_binprm", "mount", "upid", "sock", "tcp_sock"}) {
        EXPECT_GT(::btf__find_by_name_kind(types, name, BTF_KIND_STRUCT), 0) << name;
    }
    ::btf__free(types);
    const auto when = std::filesystem::last_write_time(*made);
    const auto again = sensors::derive_btf(options);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(std::filesystem::last_write_time(*again), when);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
    std::filesystem::remove_all(folder);
}

TEST(EbpfDerivedTypes, WithoutHeadersThereIsNothingToDeriveFrom) {
    const auto made = sensors::derive_btf(
        {.release = "test", .build = "/nonexistent", .cache = "/tmp", .clang = "/usr/bin/clang"});
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, std::errc::no_such_file_or_directory);
    EXPECT_FALSE(sensors::derive_btf({.release = "../x"}).has_value());
}

}  // namespace
}  // namespace vigia::test
