// SPDX-License-Identifier: GPL-2.0-or-later
// `vigia doctor --sysroot` on machines that do not exist: exactly the faults that they would raise.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/root_fixture.h"

namespace vigia::test {
namespace {

constexpr const char* kDebianKernel = "6.1.0-13-amd64";
constexpr const char* kConfig =
    "CONFIG_FANOTIFY=y\nCONFIG_FANOTIFY_ACCESS_PERMISSIONS=y\nCONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\n"
    "CONFIG_BPF_EVENTS=y\nCONFIG_CGROUP_BPF=y\nCONFIG_CGROUPS=y\nCONFIG_PERF_EVENTS=y\n"
    "CONFIG_TRACEPOINTS=y\nCONFIG_TRACING=y\nCONFIG_INET=y\nCONFIG_KPROBES=y\n";

void accounts(RootFixture& root) {
    root.file("etc/passwd",
              "root:x:0:0:root:/root:/bin/bash\n"
              "vigia-scan:x:990:990::/nonexistent:/usr/sbin/nologin\n");
    root.file("etc/group", "root:x:0:\nadm:x:4:\nvigia-scan:x:990:\n");
    root.file("etc/shadow", "root:*:19000::::::\nvigia-scan:!:19000::::::\n", 0600);
    root.file("etc/login.defs", "USERGROUPS_ENAB yes\n");
    root.file("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n");
}

void os(RootFixture& root, const char* id, const char* version, const char* like = "") {
    root.file("etc/os-release",
              fmt::format("ID={}\nVERSION_ID=\"{}\"\nID_LIKE=\"{}\"\n", id, version, like));
}

void debian(RootFixture& root) {
    accounts(root);
    os(root, "debian", "12");
    root.running(kDebianKernel).kernel(kDebianKernel, kConfig).program("usr/bin/apt-get");
}

void red_hat(RootFixture& root, const char* version, const char* release) {
    accounts(root);
    os(root, "rhel", version, "fedora");
    root.running(release).kernel(release, kConfig).program("usr/bin/dnf").program("usr/bin/yum");
}

void enforcing(RootFixture& root) {
    root.file("sys/fs/selinux/enforce", "1");
    root.file("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n");
}

using Expected = std::set<std::pair<int, std::string>>;

struct Machine {
    const char* name;
    std::function<void(RootFixture&)> make;
    Expected faults;
    const char* said = "";  // stands somewhere in the answer
};

std::ostream& operator<<(std::ostream& out, const Machine& machine) {
    return out << machine.name;
}

std::vector<Machine> machines() {
    using R = RootFixture;
    const Expected headers{{11, "no-btf-no-headers"}};
    return {
        {"Debian12WithBtf",
         [](R& r) {
             debian(r);
             r.btf();
         },
         {}},
        {"DebianWithoutBtfAndHeaders", debian, headers, "linux-headers-6.1.0-13-amd64"},
        {"DebianWithHeadersOfAnotherRelease",
         [](R& r) {
             debian(r);
             r.headers("6.1.0-9-amd64", "usr/src/linux-headers-6.1.0-9-amd64");
         },
         headers,
         "6.1.0-9-amd64"},
        {"RedHat8",
         [](R& r) { red_hat(r, "8.9", "4.18.0-513.5.1.el8_9.x86_64"); },
         headers,
         "kernel-devel-4.18.0-513.5.1.el8_9.x86_64"},
        {"OracleWithUek6",
         [](R& r) {
             red_hat(r, "8.9", "5.4.17-2136.330.7.1.el8uek.x86_64");
             os(r, "ol", "8.9", "fedora");
         },
         headers,
         "kernel-uek-devel-5.4.17-2136.330.7.1.el8uek.x86_64"},
        {"RedHat7",
         [](R& r) { red_hat(r, "7.9", "3.10.0-1160.el7.x86_64"); },
         {{16, "missing-features"}},
         "first_kernel"},
        {"SelinuxEnforcingWithoutTheRule",
         [](R& r) {
             red_hat(r, "8.9", "4.18.0-513.5.1.el8_9.x86_64");
             r.btf();
             enforcing(r);
         },
         {{19, "module-not-installed"}},
         "policycoreutils-python-utils"},
        {"SelinuxPermissive",
         [](R& r) {
             red_hat(r, "8.9", "4.18.0-513.5.1.el8_9.x86_64");
             r.btf();
             enforcing(r);
             r.file("sys/fs/selinux/enforce", "0");
         },
         {}},
        {"SecureBootOn",
         [](R& r) {
             debian(r);
             r.btf();
             r.file("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
                    std::string_view("\x06\0\0\0\x01", 5));
         },
         {},
         "\"secure_boot\":\"enabled\""},
        {"UserMissing",
         [](R& r) {
             debian(r);
             r.btf();
             r.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
         },
         {{5, "user-missing"}},
         "useradd"},
        {"GroupMissing",
         [](R& r) {
             debian(r);
             r.btf();
             r.file("etc/group", "root:x:0:\n");
         },
         {{5, "group-missing"}}},
        {"UserWithALoginShell",
         [](R& r) {
             debian(r);
             r.btf();
             r.file("etc/passwd",
                    "root:x:0:0:root:/root:/bin/bash\nvigia-scan:x:990:990::/:/bin/bash\n");
         },
         {{5, "user-misconfigured"}},
         "login-shell"},
        {"UserWithUidZero",
         [](R& r) {
             debian(r);
             r.btf();
             r.file("etc/passwd",
                    "root:x:0:0:root:/root:/bin/bash\n"
                    "vigia-scan:x:0:990::/nonexistent:/usr/sbin/nologin\n");
         },
         {{5, "user-misconfigured"}},
         "uid-0"},
        {"CreationRestricted",
         [](R& r) {
             debian(r);
             r.btf();
             r.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
             r.file("etc/group", "root:x:0:\n");
             r.file("etc/login.defs", "USERGROUPS_ENAB no\n");
         },
         {{5, "creation-restricted"}},
         "USERGROUPS_ENAB"},
        {"ModesWrong",
         [](R& r) {
             debian(r);
             r.btf();
             r.folder("var/lib/vigia", 0777).folder("var/lib/vigia/quarantine", 0755);
         },
         {{5, "perm-changed"}},
         "/var/lib/vigia/quarantine"},
        {"TooLittleMemory",
         [](R& r) {
             debian(r);
             r.btf();
             r.file("proc/meminfo", "MemTotal: 524288 kB\nMemAvailable: 400000 kB\n");
         },
         {{7, "out-of-memory"}},
         "available_bytes"},
        {"NothingWantedByPolicy",
         [](R& r) {
             red_hat(r, "7.9", "3.10.0-1160.el7.x86_64");
             enforcing(r);
             r.file(
                 "etc/vigia/policy.toml",
                 "[files]\nmonitor_copies_and_moves = false\n[network]\ndevice_flow_correlation = "
                 "false\n[processes]\nmonitor = false\n");
         },
         {}},
        {"EveryFileGarbage",
         [](R& r) {
             for (const char* file : {"etc/os-release",
                                      "proc/sys/kernel/osrelease",
                                      "proc/meminfo",
                                      "sys/kernel/btf/vmlinux",
                                      "sys/kernel/security/lsm",
                                      "sys/kernel/security/lockdown",
                                      "sys/fs/selinux/enforce",
                                      "etc/selinux/config",
                                      "etc/passwd",
                                      "etc/group",
                                      "etc/login.defs",
                                      "proc/self/mountinfo",
                                      "boot/config-x"}) {
                 r.file(file, std::string_view("\xff\0\x7f garbage \x80\n\n", 15));
             }
         },
         {}},
    };
}

class Doctor : public ::testing::TestWithParam<Machine> {};

TEST_P(Doctor, NamesExactlyTheFaultsThatTheMachineWouldRaise) {
    RootFixture root;
    GetParam().make(root);
    const auto output =
        run(dev_program("vigia"), {"--json", "doctor", "--sysroot", root.path().native()});
    const auto json = nlohmann::json::parse(output.out, nullptr, false);
    ASSERT_TRUE(json.is_object()) << output.out << output.err;
    Expected found;
    for (const auto& fault : json.at("faults")) {
        found.emplace(fault.at("id").get<int>(), fault.at("cause").get<std::string>());
        EXPECT_TRUE(fault.at("episode").is_null());
        EXPECT_FALSE(fault.at("remedy").empty());
    }
    EXPECT_EQ(found, GetParam().faults) << output.out;
    EXPECT_NE(output.out.find(GetParam().said), std::string::npos) << output.out;
    EXPECT_EQ(output.exit, GetParam().faults.empty() ? 0 : 1);
}

INSTANTIATE_TEST_SUITE_P(Machines, Doctor, ::testing::ValuesIn(machines()), [](const auto& info) {
    return std::string(info.param.name);
});

TEST(DoctorOfAKernel, AnswersForOneThatIsInstalledAndNotBooted) {
    RootFixture root;
    red_hat(root, "7.9", "3.10.0-1160.el7.x86_64");
    root.kernel("6.1.0-13-amd64", std::string(kConfig) + "CONFIG_DEBUG_INFO_BTF=y\n");
    const auto output =
        run(dev_program("vigia"),
            {"--json", "doctor", "--sysroot", root.path().native(), "--kernel", "6.1.0-13-amd64"});
    const auto json = nlohmann::json::parse(output.out, nullptr, false);
    ASSERT_TRUE(json.is_object()) << output.out << output.err;
    EXPECT_TRUE(json.at("faults").empty()) << output.out;
    EXPECT_EQ(output.exit, 0);
}

}  // namespace
}  // namespace vigia::test
