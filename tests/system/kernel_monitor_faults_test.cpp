// SPDX-License-Identifier: GPL-2.0-or-later
// Faults 9 and 11 where the kernel really refuses our programs, what stands in for them meanwhile,
// and that all of it clears by itself.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/subprocess.h"
#include "support/kernel_instance.h"
#include "support/playground.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFault = 9;
constexpr int kHeaders = 11;
constexpr std::string_view kWithoutBpf = "--without-bpf";

// This program, called with that word, forbids bpf() and becomes the program named behind it.
__attribute__((constructor)) void become_without_bpf(int count, char** words, char** /*environ*/) {
    const std::span arguments(words, static_cast<std::size_t>(count));
    if (count < 3 || kWithoutBpf != arguments[1]) {
        return;
    }
    sock_filter filter[] = {// NOLINT(*-avoid-c-arrays): what the call takes
                            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{.len = std::size(filter), .filter = filter};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) {
        ::execv(arguments[2], words + 2);  // NOLINT: what main() is given
    }
    ::_exit(126);
}

class KernelFaults : public testing::Test {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
        fs::create_directories(watched_);
    }

    Instance::Options options() const {
        return {.prefix = ground_.root() / "p",
                .watch = {watched_.native()},
                .more =
                    "[faults]\noverrides = [{ id = 9, clear_after = \"100ms\" }, "
                    "{ id = 11, clear_after = \"100ms\" }]\n"};
    }

    std::string nothing_wanted() const {
        return fmt::format(
            "[policy]\nname = \"Off\"\nserial = 2\n[files]\nwatch = [\"{}\"]\n"
            "[processes]\nmonitor = false\n"
            "[network]\ndevice_flow_correlation = false\n",
            watched_.native());
    }

    // A process that lives for a while is seen without any program in the kernel.
    void expect_fallback(const Instance& instance) const {
        for (const char* name : {"processes", "network"}) {
            const auto monitor = monitor_of(instance, name);
            ASSERT_TRUE(monitor.is_object());
            EXPECT_EQ(monitor.at("backend"), "proc") << monitor.dump(1);
            EXPECT_EQ(monitor.at("state"), "partial") << monitor.dump(1);
            EXPECT_NE(monitor.value("detail", "").find("not seen:"), std::string::npos);
        }
        const auto program = ground_.root() / "long-lived";
        fs::copy_file("/bin/sleep", program, fs::copy_options::overwrite_existing);
        auto child = Subprocess::start({.program = program, .arguments = {"100"}});
        ASSERT_TRUE(child.has_value());
        const auto told = [&](const char* word) {
            return !events_where(instance, "process", [&](const json& event) {
                        return word_in(event) == word &&
                               event.at("process").at("pid") == child->pid() &&
                               event.at("process").at("file").at("path") == program.native();
                    }).empty();
        };
        EXPECT_TRUE(eventually([&] { return told("process-launched"); }));
        child->kill(SIGKILL);
        EXPECT_TRUE(child->wait(std::chrono::seconds{10}).has_value());
        EXPECT_TRUE(eventually([&] { return told("process-terminated"); }));
        const auto books = accounting_of(instance, "exec");
        EXPECT_FALSE(books.at("exact")) << books.dump();
        EXPECT_TRUE(books.at("lost").is_null()) << "nobody can know";
    }

    Playground ground_;
    fs::path watched_ = ground_.root() / "watched";
};

TEST_F(KernelFaults, BpfForbiddenBySeccompIsNamedAndTheFallbackWorks) {
    auto how = options();
    how.through = {fs::canonical("/proc/self/exe").native(), std::string(kWithoutBpf)};
    Instance instance(std::move(how));
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-permission"; }))
        << read_text(instance.path("daemon.err"));
    const auto fault = fault_of(instance, kFault);
    const auto& evidence = fault.at("evidence");
    EXPECT_EQ(fault.at("severity"), "major");
    EXPECT_EQ(evidence.at("what"), "seccomp");
    EXPECT_EQ(evidence.at("errno"), EPERM);
    EXPECT_EQ(evidence.at("fallback"), "/proc and sock_diag");
    EXPECT_EQ(evidence.at("processes").at("cause"), "no-permission") << evidence.dump(1);
    EXPECT_TRUE(evidence.contains("lockdown") && evidence.contains("secure_boot"));
    EXPECT_TRUE(is_clear(instance, kHeaders));
    expect_fallback(instance);
    // Who costs what is known all the same, by looking.
    const auto ourselves = fs::canonical("/proc/self/exe").native();
    int written = 0;
    EXPECT_TRUE(eventually([&] {
        write_file(watched_ / ("file" + std::to_string(written)), std::to_string(written));
        ++written;
        const auto programs = instance.json({"top", "--once"}).at("programs");
        return std::ranges::any_of(programs, [&](const json& program) {
            return program.at("path") == ourselves && program.at("user") == "root" &&
                   program.at("events_per_second") > 0;
        });
    }));
    instance.write_policy(nothing_wanted());
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    EXPECT_EQ(cleared_because(instance, kFault), "not-wanted-by-policy");
    EXPECT_EQ(monitor_of(instance, "network").at("state"), "off");
    instance.kill(SIGTERM);
    EXPECT_TRUE(instance.wait(std::chrono::seconds{10}).has_value());
}

TEST_F(KernelFaults, AMissingCapabilityIsNamed) {
    auto how = options();
    // SYS_ADMIN includes the others.
    how.through = {"/usr/bin/setpriv", "--bounding-set=-bpf,-sys_admin"};
    Instance instance(std::move(how));
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-permission"; }))
        << read_text(instance.path("daemon.err"));
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("evidence").at("what"), "CAP_BPF") << fault.dump(1);
    EXPECT_NE(fault.at("description").get<std::string>().find("CAP_BPF"), std::string::npos);
    EXPECT_EQ(monitor_of(instance, "network").at("backend"), "proc");
}

TEST_F(KernelFaults, WithoutTypesBothFaultsAreRaisedAndBothClearWhenTheTypesAreThere) {
    utsname kernel{};
    ASSERT_EQ(::uname(&kernel), 0);
    if (fs::exists(fs::path("/lib/modules") / kernel.release / "build")) {
        GTEST_SKIP() << "the headers of the running kernel are installed: types would be derived";
    }
    const auto hidden = ground_.root() / "hidden";
    write_file(hidden, "");
    auto how = options();
    how.environment = {"VIGIA_TEST_HIDE_BTF=" + hidden.native()};
    Instance instance(std::move(how));
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] {
        return cause_of(instance, kFault) == "no-btf" &&
               cause_of(instance, kHeaders).starts_with("no-btf");
    })) << read_text(instance.path("daemon.err"));
    const auto headers = fault_of(instance, kHeaders);
    EXPECT_FALSE(headers.at("evidence").at("looked_in").empty());
    // A package is installed with somebody's word only.
    const auto refused = instance.cli({"faults", "fix", "11"});
    EXPECT_NE(refused.exit, 0);
    EXPECT_NE((refused.out + refused.err).find("--yes"), std::string::npos) << refused.err;
    EXPECT_EQ(instance.json({"faults", "fix", "11", "--dry-run"}).at("repair"), "install-headers");
    EXPECT_EQ(fault_of(instance, kHeaders).at("heal").at("attempts"), 0);
    expect_fallback(instance);
    fs::remove(hidden);
    EXPECT_TRUE(
        eventually([&] { return is_clear(instance, kFault) && is_clear(instance, kHeaders); },
                   std::chrono::seconds{90}))
        << monitor_of(instance, "network").dump(1);
    EXPECT_EQ(cleared_because(instance, kFault), "condition-gone");
    for (const char* name : {"processes", "network"}) {
        EXPECT_EQ(monitor_of(instance, name).at("backend"), "ebpf-btf");
    }
}

}  // namespace
}  // namespace vigia::test
