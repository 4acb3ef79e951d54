// SPDX-License-Identifier: GPL-2.0-or-later
// links: PkgConfig::LIBBPF
// What the doctor says of the running kernel, against what others find out about it.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "support/process.h"

namespace vigia::test {
namespace {

nlohmann::json examined() {
    const auto said = run(dev_program("vigia"), {"doctor", "--json"});
    auto json = nlohmann::json::parse(said.out, nullptr, false);
    EXPECT_TRUE(json.is_object()) << said.err;
    return json.value("host", nlohmann::json::object());
}

TEST(DoctorLive, KnowsTheLockdownThatSecurityfsShows) {
    // In a mount namespace of its own: nothing is left behind.
    const auto shown = run("/usr/bin/unshare",
                           {"-m",
                            "sh",
                            "-c",
                            "mount -t tmpfs none /mnt && mkdir /mnt/s && mount -t securityfs none "
                            "/mnt/s && { cat /mnt/s/lockdown || echo [absent]; }"});
    ASSERT_EQ(shown.exit, 0) << shown.err;
    const auto open = shown.out.find('[');
    const auto mode = shown.out.substr(open + 1, shown.out.find(']') - open - 1);
    EXPECT_EQ(examined().value("lockdown", ""), mode) << shown.out;
}

TEST(DoctorLive, KnowsWhetherTrampolinesAreRefused) {
    const int target = libbpf_find_vmlinux_btf_id("security_file_open", BPF_TRACE_FENTRY);
    if (target <= 0) {
        GTEST_SKIP() << "this kernel does not describe its functions (BTF)";
    }
    const std::array<bpf_insn, 2> code{
        bpf_insn{
            .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    bpf_prog_load_opts options{};
    options.sz = sizeof options;
    options.expected_attach_type = BPF_TRACE_FENTRY;
    options.attach_btf_id = static_cast<unsigned>(target);
    const int program =
        bpf_prog_load(BPF_PROG_TYPE_TRACING, nullptr, "GPL", code.data(), code.size(), &options);
    const int error = program < 0 ? errno : 0;
    if (program >= 0) {
        ::close(program);
    }
    ASSERT_TRUE(error == 0 || error == EPERM || error == EACCES) << error;
    EXPECT_EQ(examined().at("bpf_trampolines").at("value"), error == 0);
}

}  // namespace
}  // namespace vigia::test
