// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigia::sensors {

// Why the kernel side could not be loaded or attached.
enum class LoadCause : std::uint8_t {
    NoPermission,  // a capability is missing, or bpf() is forbidden to us: `detail` says which
    Lockdown,      // confidentiality mode forbids to read kernel memory
    Selinux,       // EACCES of an enforcing policy
    Verifier,      // the kernel does not accept the program: `log`
    Memlock,       // kernels before 5.11 charge maps to RLIMIT_MEMLOCK
    NoHook,        // the kernel does not have, or does not allow, the place to attach to
    NoBtf,         // no description of the kernel's types
    Other,         // `error` and `log` are all there is
};

inline constexpr std::array<std::string_view, 8> kLoadCauseNames{
    "no-permission", "lockdown", "selinux", "verifier", "memlock", "no-hook", "no-btf", "other"};

struct LoadFailure {
    LoadCause cause = LoadCause::Other;
    int error = 0;             // errno
    std::string program = {};  // which was refused; empty: before any
    std::string detail = {};   // "CAP_BPF", "seccomp", "getpeername4", …
    std::string log = {};      // the last 20 lines that the kernel or libbpf had to say

    [[nodiscard]] std::string message() const;
};

// What was seen when it failed, and of this process and kernel right after.
struct LoadSymptoms {
    int error = 0;
    std::string program = {};
    std::string log = {};
    bool attaching = false;          // it was loaded already
    bool needs_net_admin = false;    // a program of the network
    std::uint64_t capabilities = 0;  // effective
    int trivial_load_error = 0;      // errno of loading a program of two instructions
    bool seccomp_filter = false;     // we run under one
    bool lockdown_confidential = false;
    bool selinux_enforcing = false;
    bool btf_missing = false;
    bool charges_memlock = false;  // kernel before 5.11
    std::uint64_t memlock = 0;     // soft limit, bytes
};

// Pure.
[[nodiscard]] LoadFailure classify(const LoadSymptoms& symptoms);

// Fills in everything about this process and kernel.
[[nodiscard]] LoadSymptoms observe(int error, std::string program, std::string log);

// At most the last `lines` lines.
[[nodiscard]] std::string tail_of(std::string_view text, int lines);

}  // namespace vigia::sensors
