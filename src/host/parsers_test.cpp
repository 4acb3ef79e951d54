// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "host/accounts.h"
#include "host/distribution.h"
#include "host/kernel_config.h"
#include "host/kernel_release.h"
#include "host/kernel_types.h"
#include "host/listeners.h"
#include "host/memory.h"
#include "host/security.h"
#include "host/selinux.h"

namespace vigia::host {
namespace {

using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(OsRelease, ReadsQuotedAndPlainValues) {
    const auto found = parse_os_release(
        "# a comment\nNAME=\"Red Hat \\\"Enterprise\\\" Linux\"\nID='rhel'\nID_LIKE=\"fedora "
        "centos\"\n"
        "VERSION_ID=\"8.10\"\nPRETTY_NAME=Plain\\ Name\n");
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->id, "rhel");
    EXPECT_THAT(found->id_like, ElementsAre("fedora", "centos"));
    EXPECT_EQ(found->version_id, "8.10");
    EXPECT_EQ(found->major_version, 8U);
    EXPECT_EQ(found->pretty_name, "Plain Name");
    EXPECT_EQ(found->family, DistributionFamily::Redhat);
}

TEST(OsRelease, TellsFamiliesByIdThenByLikeness) {
    const struct {
        std::string_view text;
        DistributionFamily family;
    } rows[] = {
        {"ID=debian", DistributionFamily::Debian},
        {"ID=pop\nID_LIKE=\"ubuntu debian\"", DistributionFamily::Debian},
        {"ID=ol\nID_LIKE=fedora", DistributionFamily::Oracle},
        {"ID=amzn\nID_LIKE=\"centos rhel fedora\"", DistributionFamily::Amazon},
        {"ID=opensuse-leap\nID_LIKE=\"suse opensuse\"", DistributionFamily::Suse},
        {"ID=sle-micro\nID_LIKE=suse", DistributionFamily::Suse},
        {"ID=arch", DistributionFamily::Arch},
        {"NAME=Void", DistributionFamily::Other},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(parse_os_release(row.text)->family, row.family) << row.text;
    }
}

TEST(OsRelease, IsUnknownWhenItNamesNothing) {
    EXPECT_FALSE(parse_os_release("").has_value());
    EXPECT_FALSE(parse_os_release("\xff\xfe=\0=ID"sv).has_value());
}

TEST(Release, SplitsWhatVendorsWrite) {
    const struct {
        std::string_view text;
        KernelVersion version;
        std::vector<unsigned> build;
        std::string_view architecture;
        bool uek;
    } rows[] = {
        {"6.1.0-13-amd64\n", {6, 1, 0}, {13}, "amd64", false},
        {"5.4.17-2136.330.7.1.el8uek.x86_64", {5, 4, 17}, {2136, 330, 7, 1}, "x86_64", true},
        {"4.18.0-553.el8_10.x86_64", {4, 18, 0}, {553}, "x86_64", false},
        {"3.10.0-1160.118.1.el7.x86_64", {3, 10, 0}, {1160, 118, 1}, "x86_64", false},
        {"5.14.21-150500.55.39-default", {5, 14, 21}, {150500, 55, 39}, "", false},
        {"6.9.2-arch1-1", {6, 9, 2}, {}, "", false},
        {"6.12", {6, 12, 0}, {}, "", false},
        {"6.18.44-fc-v782", {6, 18, 44}, {}, "", false},
    };

    for (const auto& row : rows) {
        const auto found = parse_kernel_release(row.text);
        ASSERT_TRUE(found.has_value()) << row.text;
        EXPECT_EQ(found->version, row.version) << row.text;
        EXPECT_EQ(found->build, row.build) << row.text;
        EXPECT_EQ(found->architecture, row.architecture) << row.text;
        EXPECT_EQ(found->is_uek, row.uek) << row.text;
    }
}

TEST(Release, RefusesWhatIsNone) {
    for (const auto text : {""sv,
                            "x"sv,
                            "6"sv,
                            "6."sv,
                            "6.x"sv,
                            "6.1.x"sv,
                            "../6.1"sv,
                            "6.1/../x"sv,
                            "6.1 x"sv,
                            "6.1\0"sv,
                            "99999999999.1"sv,
                            "0-rescue-abc"sv}) {
        EXPECT_FALSE(parse_kernel_release(text).has_value()) << text;
    }
    EXPECT_FALSE(parse_kernel_release("6.1-" + std::string(61, 'a')).has_value());
}

TEST(Release, ComparesBuildsAsNumbers) {
    const auto older = [](const char* left, const char* right) {
        return is_older(*parse_kernel_release(left), *parse_kernel_release(right));
    };
    EXPECT_TRUE(older("6.1.0-9-amd64", "6.1.0-13-amd64"));
    EXPECT_FALSE(older("6.1.0-13-amd64", "6.1.0-9-amd64"));
    EXPECT_TRUE(older("5.9.0", "5.10.0"));
    EXPECT_FALSE(older("6.1.0-13-amd64", "6.1.0-13-amd64"));
    EXPECT_TRUE(older("4.18.0-99999999999999999999999.el8", "4.18.0-100000000000000000000000.el8"));
}

TEST(Config, KeepsWhatIsAskedForAndTakesTheRestForNotSet) {
    const auto config = parse_kernel_config(
        "# comment\nCONFIG_BPF_SYSCALL=y\nCONFIG_FANOTIFY=m\n# CONFIG_CGROUP_BPF is not set\n"
        "CONFIG_OTHER=y\n");
    ASSERT_TRUE(config.has_value());
    EXPECT_TRUE(config->enabled("CONFIG_BPF_SYSCALL"));
    EXPECT_TRUE(config->enabled("CONFIG_FANOTIFY"));
    EXPECT_FALSE(config->enabled("CONFIG_CGROUP_BPF"));
    EXPECT_FALSE(config->enabled("CONFIG_DEBUG_INFO_BTF"));
    EXPECT_FALSE(config->options.contains("CONFIG_OTHER"));
}

TEST(Config, IsUnknownWhenNoLineIsOne) {
    EXPECT_FALSE(parse_kernel_config("").has_value());
    EXPECT_FALSE(parse_kernel_config("\x7f"
                                     "ELF\0\0CONFIG"sv)
                     .has_value());
}

std::string gzip(std::string_view text) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

TEST(Gunzip, GivesBackWhatWasPacked) {
    const std::string text(200'000, 'x');
    EXPECT_EQ(gunzip(gzip(text), 200'000).value(), text);
    EXPECT_EQ(gunzip(gzip(""), 10).value(), "");
}

TEST(Gunzip, RefusesCutDamagedAndTooLargeInput) {
    const auto packed = gzip(std::string(200'000, 'x'));
    EXPECT_FALSE(gunzip(packed, 199'999).has_value());
    EXPECT_FALSE(gunzip(packed.substr(0, packed.size() / 2), 200'000).has_value());
    EXPECT_FALSE(gunzip("", 10).has_value());
    EXPECT_FALSE(gunzip("\x1f\x8bjunk", 10).has_value());
}

TEST(Btf, IsToldByItsMagicInEitherByteOrder) {
    EXPECT_TRUE(begins_as_btf("\x9f\xeb\x01"));
    EXPECT_TRUE(begins_as_btf("\xeb\x9f\x01"));
    EXPECT_FALSE(begins_as_btf("\x9f"));
    EXPECT_FALSE(begins_as_btf("BTF"));
}

TEST(Utsrelease, IsReadFromAHeaderAndFromAPlainLine) {
    EXPECT_EQ(parse_utsrelease("#define UTS_RELEASE \"6.1.0-13-amd64\"\n").value(),
              "6.1.0-13-amd64");
    EXPECT_EQ(parse_utsrelease("6.1.0-13-amd64\n").value(), "6.1.0-13-amd64");
    EXPECT_FALSE(parse_utsrelease("#define UTS_RELEASE \"").has_value());
}

TEST(SecurityFiles, AreRead) {
    EXPECT_THAT(*parse_security_modules("lockdown,capability,selinux,bpf\n"),
                ElementsAre("lockdown", "capability", "selinux", "bpf"));
    EXPECT_FALSE(parse_security_modules("\n").has_value());
    EXPECT_FALSE(parse_security_modules("a,,b").has_value());
    EXPECT_EQ(*parse_lockdown("[none] integrity confidentiality\n"), Lockdown::None);
    EXPECT_EQ(*parse_lockdown("none [integrity] confidentiality\n"), Lockdown::Integrity);
    EXPECT_EQ(*parse_lockdown("none integrity [confidentiality]"), Lockdown::Confidentiality);
    for (const auto text : {"", "none", "[]", "[x]", "]none[", "[none"}) {
        EXPECT_FALSE(parse_lockdown(text).has_value()) << text;
    }
}

TEST(SecureBootVariable, IsFourBytesOfAttributesAndOneOfValue) {
    EXPECT_EQ(*parse_secure_boot("\x06\0\0\0\x01"sv), SecureBoot::Enabled);
    EXPECT_EQ(*parse_secure_boot("\x06\0\0\0\0"sv), SecureBoot::Disabled);
    for (const auto bytes :
         {""sv, "\x01"sv, "\x06\0\0\0"sv, "\x06\0\0\0\x02"sv, "\x06\0\0\0\x01\0"sv}) {
        EXPECT_FALSE(parse_secure_boot(bytes).has_value());
    }
}

TEST(Capabilities, AreReadAndTheMissingOnesNamed) {
    const auto sets =
        parse_capabilities("Name:\tx\nCapEff:\t0000000000200000\nCapBnd:\tffffffffffffffff\n");
    ASSERT_TRUE(sets.has_value());
    EXPECT_EQ(sets->effective, 0x200000U);
    EXPECT_THAT(missing_capabilities(sets->effective, {21, 39, 12, 2}),
                ElementsAre("CAP_NET_ADMIN", "CAP_DAC_READ_SEARCH"));
    EXPECT_THAT(missing_capabilities(0, {39}), ElementsAre("CAP_BPF"));
    EXPECT_FALSE(parse_capabilities("CapEff:\txyz\nCapBnd:\t0\n").has_value());
    EXPECT_FALSE(parse_capabilities("CapEff:\t0\n").has_value());
}

TEST(SelinuxFiles, AreRead) {
    const auto config = parse_selinux_config("# x\nSELINUX=Enforcing \nSELINUXTYPE=mls\n");
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->state, SelinuxState::Enforcing);
    EXPECT_EQ(config->type, "mls");
    EXPECT_EQ(parse_selinux_config("SELINUX=disabled")->type, "targeted");
    for (const auto text :
         {"", "SELINUX=on", "SELINUXTYPE=targeted", "SELINUX=enforcing\nSELINUXTYPE=../../etc"}) {
        EXPECT_FALSE(parse_selinux_config(text).has_value()) << text;
    }
    EXPECT_EQ(*parse_enforce("1"), SelinuxState::Enforcing);
    EXPECT_EQ(*parse_enforce("0\n"), SelinuxState::Permissive);
    EXPECT_FALSE(parse_enforce("").has_value());
    EXPECT_EQ(*parse_unit_context("[Service]\nSELinuxContext=-system_u:system_r:vigia_t:s0\n"),
              "system_u:system_r:vigia_t:s0");
    EXPECT_FALSE(parse_unit_context("[Service]\nSELinuxContext=\n").has_value());
}

TEST(Accounts, LeaveOutWhatIsNoEntry) {
    const auto accounts = parse_passwd(
        "root:x:0:0:root:/root:/bin/bash\n+::::::\nbroken:x:1\nbig:x:99999999999:1::/:/bin/sh\n"
        "vigia-scan:x:998:997:V:/nonexistent:/usr/sbin/nologin\n");
    ASSERT_THAT(accounts, SizeIs(2));
    EXPECT_EQ(accounts[1], (Account{"vigia-scan", 998, 997, "/nonexistent", "/usr/sbin/nologin"}));
    const auto groups = parse_group("root:x:0:\nadm:x:4:a,b\n#x:x:1:\n");
    ASSERT_THAT(groups, SizeIs(2));
    EXPECT_THAT(groups[1].members, ElementsAre("a", "b"));
    EXPECT_THAT(parse_passwd("\xff\0:::::::"sv), IsEmpty());
}

TEST(Shadow, SaysWhetherAPasswordOpensTheAccount) {
    EXPECT_EQ(*parse_shadow("a:!:1::::::\nb:*:\nc::\nd:$6$x:\n", "a"), PasswordState::Locked);
    EXPECT_EQ(*parse_shadow("b:*:1", "b"), PasswordState::Locked);
    EXPECT_EQ(*parse_shadow("c::1", "c"), PasswordState::Empty);
    EXPECT_EQ(*parse_shadow("d:$6$x:1", "d"), PasswordState::Set);
    EXPECT_FALSE(parse_shadow("a:!:1", "b").has_value());
}

TEST(LoginDefs, ReadsWhatIsSet) {
    const auto defs = parse_login_defs(
        "# USERGROUPS_ENAB yes\nUSERGROUPS_ENAB\t no\nUID_MIN 1000\nSYS_UID_MAX x\n");
    EXPECT_EQ(defs.usergroups_enab, false);
    EXPECT_EQ(defs.uid_min, 1000U);
    EXPECT_FALSE(defs.sys_uid_max.has_value());
    EXPECT_EQ(parse_login_defs(""), LoginDefs{});
}

TEST(Memory, IsReadInBytes) {
    EXPECT_EQ(*parse_meminfo("MemTotal:  524288 kB\nMemAvailable: 1024 kB\n"),
              (Meminfo{.total = 512ULL << 20U, .available = 1ULL << 20U}));
    EXPECT_FALSE(parse_meminfo("MemTotal: 1024 kB\n")->available.has_value());
    for (const auto text : {"",
                            "MemTotal: x kB",
                            "MemTotal: 10",
                            "MemTotal: -1 kB",
                            "MemTotal: 18446744073709551615 kB"}) {
        EXPECT_FALSE(parse_meminfo(text).has_value()) << text;
    }
}

TEST(CgroupLimit, KnowsBothWaysToSayThatThereIsNone) {
    EXPECT_EQ(*parse_cgroup_limit("max\n"), std::nullopt);
    EXPECT_EQ(*parse_cgroup_limit("9223372036854771712\n"), std::nullopt);
    EXPECT_EQ(*parse_cgroup_limit("536870912\n"), 536870912U);
    EXPECT_FALSE(parse_cgroup_limit("").has_value());
    EXPECT_FALSE(parse_cgroup_limit("-1").has_value());
}

TEST(Cgroups, TellsWhereWeStandInBothHierarchies) {
    const auto places = parse_cgroups("4:cpu,memory:/a\n1:name=systemd:/b\n0::/c:d\n");
    EXPECT_EQ(places->v1_memory, "/a");
    EXPECT_EQ(places->v2, "/c:d");
    EXPECT_FALSE(parse_cgroups("junk").has_value());
}

TEST(FanotifyInfo, TellsClassAndWhetherItAsks) {
    EXPECT_EQ(parse_fanotify_info("pos:\t0\nflags:\t02\n"), std::nullopt);
    EXPECT_EQ(
        parse_fanotify_info("fanotify flags:205 event-flags:8000\n"
                            "fanotify ino:2 sdev:800001 mflags:0 mask:50000 ignored_mask:0\n"),
        (FanotifyInfo{.permission_class = true, .asks_permission = true}));
    EXPECT_EQ(parse_fanotify_info("fanotify flags:e00 event-flags:0\nfanotify sdev:1 mask:8\n"),
              (FanotifyInfo{}));
    EXPECT_EQ(parse_fanotify_info("fanotify flags:zz"), (FanotifyInfo{}));
}

}  // namespace
}  // namespace vigia::host
