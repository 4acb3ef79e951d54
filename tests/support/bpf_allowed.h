// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <bpf/bpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "base/files.h"

namespace vigia::test {

// Why this kernel, or this process, may not use BPF at all; empty if it may. It asks the kernel
// with programs of two instructions and without a line of the sensor, so that a sensor that fails
// where BPF is allowed fails its tests and does not skip them.
inline std::string why_no_bpf() {
    static constexpr std::array kTypes{BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_CGROUP_SKB};
    const std::array program{
        bpf_insn{
            .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1},
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    for (const auto type : kTypes) {
        const int loaded =
            ::bpf_prog_load(type, nullptr, "GPL", program.data(), program.size(), nullptr);
        if (loaded >= 0) {
            ::close(loaded);
            continue;
        }
        const int error = -loaded;
        if (error == EPERM || error == EACCES || error == ENOSYS || error == EINVAL) {
            return "the kernel refuses the smallest BPF program of type " +
                   std::to_string(static_cast<int>(type)) + ": " +
                   std::generic_category().message(error);
        }
    }
    if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
        return "the kernel does not describe its types in /sys/kernel/btf/vmlinux";
    }
    const auto lockdown = read_file("/sys/kernel/security/lockdown", 4096);
    if (lockdown && lockdown->find("[confidentiality]") != std::string::npos) {
        return "the kernel is locked down for confidentiality";
    }
    return {};
}

}  // namespace vigia::test
