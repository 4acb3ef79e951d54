// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/load_failure.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>

#include "base/files.h"
#include "base/unique_fd.h"

namespace vigia::sensors {
namespace {

constexpr std::size_t kSmallFile = 65536;
constexpr std::uint64_t kEnoughMemlock = 256ULL << 20U;  // our maps and rings need less
constexpr int kLogLines = 20;

bool has_capability(std::uint64_t set, unsigned number) {
    return ((set >> number) & 1U) != 0 || ((set >> unsigned{CAP_SYS_ADMIN}) & 1U) != 0;
}

std::string missing_capabilities(const LoadSymptoms& symptoms) {
    std::string missing;
    const auto need = [&](unsigned number, std::string_view name) {
        if (!has_capability(symptoms.capabilities, number)) {
            missing += missing.empty() ? "" : ", ";
            missing += name;
        }
    };
    need(CAP_BPF, "CAP_BPF");
    need(CAP_PERFMON, "CAP_PERFMON");
    if (symptoms.needs_net_admin) {
        need(CAP_NET_ADMIN, "CAP_NET_ADMIN");
    }
    return missing;
}

// "max_entries" and the like do not make a log the verifier's; this line always ends one.
bool is_verifier_log(std::string_view log) {
    return log.find("processed ") != std::string_view::npos &&
           log.find(" insns") != std::string_view::npos;
}

LoadFailure classify_refusal(const LoadSymptoms& symptoms, LoadFailure failure) {
    const auto missing = missing_capabilities(symptoms);
    const bool nothing_loads = symptoms.trivial_load_error != 0;
    if (!missing.empty()) {
        failure.cause = LoadCause::NoPermission;
        failure.detail = missing;
    } else if (nothing_loads && symptoms.charges_memlock && symptoms.memlock < kEnoughMemlock) {
        failure.cause = LoadCause::Memlock;
        failure.detail = std::to_string(symptoms.memlock);
    } else if (nothing_loads && symptoms.seccomp_filter) {
        failure.cause = LoadCause::NoPermission;
        failure.detail = "seccomp";
    } else if (nothing_loads) {
        failure.cause = LoadCause::NoPermission;
        failure.detail = "not in the initial user namespace";
    } else if (symptoms.lockdown_confidential) {
        failure.cause = LoadCause::Lockdown;
    } else {
        failure.cause = LoadCause::NoHook;
        failure.detail = symptoms.program;
    }
    return failure;
}

std::uint64_t effective_capabilities(std::string_view status) {
    const auto at = status.find("CapEff:\t");
    std::uint64_t set = 0;
    if (at != std::string_view::npos) {
        const auto digits = status.substr(at + 8, 16);
        std::from_chars(digits.data(), digits.data() + digits.size(), set, 16);
    }
    return set;
}

// Return 0: what every kernel with bpf() lets a privileged process load.
int try_trivial_load() {
    const bpf_insn program[] = {
        // NOLINT(*-avoid-c-arrays): what the call takes
        {.code = BPF_ALU64 | BPF_MOV | BPF_K,
         .dst_reg = BPF_REG_0,
         .src_reg = 0,
         .off = 0,
         .imm = 0},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    const UniqueFd fd(bpf_prog_load(
        BPF_PROG_TYPE_SOCKET_FILTER, "vigia_probe", "GPL", program, std::size(program), nullptr));
    return fd ? 0 : errno;
}

bool kernel_before(unsigned major, unsigned minor) {
    utsname name{};
    unsigned is_major = 0;
    unsigned is_minor = 0;
    // NOLINTNEXTLINE(cert-err34-c): two small numbers of the kernel's own text
    return ::uname(&name) == 0 && std::sscanf(name.release, "%u.%u", &is_major, &is_minor) == 2 &&
           (is_major < major || (is_major == major && is_minor < minor));
}

}  // namespace

std::string tail_of(std::string_view text, int lines) {
    while (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    std::size_t begin = text.size();
    for (int i = 0; i < lines && begin > 0; ++i) {
        const auto line_end = text.rfind('\n', begin - 1);
        if (line_end == std::string_view::npos) {
            return std::string(text);
        }
        begin = line_end;
    }
    return std::string(begin < text.size() ? text.substr(begin + 1) : text);
}

std::string LoadFailure::message() const {
    auto text = fmt::format("{}: {}",
                            kLoadCauseNames.at(static_cast<std::size_t>(cause)),
                            std::system_category().message(error));
    for (const auto& part : {program, detail}) {
        if (!part.empty() && text.find(part) == std::string::npos) {
            text += ", " + part;
        }
    }
    return text;
}

LoadFailure classify(const LoadSymptoms& symptoms) {
    LoadFailure failure{.error = symptoms.error,
                        .program = symptoms.program,
                        .log = tail_of(symptoms.log, kLogLines)};
    const bool verifier = is_verifier_log(symptoms.log);
    if (symptoms.attaching && symptoms.error != EPERM && symptoms.error != EACCES) {
        failure.cause = LoadCause::NoHook;
        failure.detail = symptoms.program;
    } else if (symptoms.btf_missing) {
        failure.cause = LoadCause::NoBtf;
    } else if (symptoms.error == EPERM && !verifier) {
        return classify_refusal(symptoms, std::move(failure));
    } else if (symptoms.error == ENOMEM && symptoms.charges_memlock &&
               symptoms.memlock < kEnoughMemlock) {
        failure.cause = LoadCause::Memlock;
        failure.detail = std::to_string(symptoms.memlock);
    } else if (symptoms.error == EACCES && !verifier) {
        // The verifier says EACCES as well, but never without a log.
        failure.cause = symptoms.selinux_enforcing ? LoadCause::Selinux : LoadCause::Other;
    } else if (verifier) {
        failure.cause = LoadCause::Verifier;
    } else if (symptoms.trivial_load_error == ENOSYS) {
        failure.cause = symptoms.seccomp_filter ? LoadCause::NoPermission : LoadCause::NoHook;
        failure.detail = symptoms.seccomp_filter ? "seccomp" : "bpf()";
    }
    return failure;
}

LoadSymptoms observe(int error, std::string program, std::string log) {
    const auto text = [](const char* path) { return read_file(path, kSmallFile).value_or(""); };
    const auto status = text("/proc/self/status");
    rlimit limit{};
    ::getrlimit(RLIMIT_MEMLOCK, &limit);
    return {
        .error = error,
        .program = std::move(program),
        .log = std::move(log),
        .capabilities = effective_capabilities(status),
        .trivial_load_error = try_trivial_load(),
        .seccomp_filter = status.find("\nSeccomp:\t2") != std::string::npos,
        .lockdown_confidential =
            text("/sys/kernel/security/lockdown").find("[confidentiality]") != std::string::npos,
        .selinux_enforcing = text("/sys/fs/selinux/enforce").starts_with('1'),
        .charges_memlock = kernel_before(5, 11),
        .memlock = limit.rlim_cur};
}

}  // namespace vigia::sensors
