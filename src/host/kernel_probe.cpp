// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/kernel_probe.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace vigia::host {
namespace {

using enum KernelFeature;

// --- fanotify
// -------------------------------------------------------------------------------------
int fanotify_error(unsigned flags) {
    const UniqueFd group{::fanotify_init(flags | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC)};
    return group ? 0 : errno;
}

struct MarkTry {
    KernelFeature feature;
    unsigned group;
    unsigned mark;
    std::uint64_t mask;
};

// Without FAN_ONDIR a folder's own opening is no event: asking for permission holds nobody up.
constexpr std::array kMarks{
    MarkTry{FanotifyMarkFilesystem, FAN_CLASS_NOTIF, FAN_MARK_FILESYSTEM, FAN_CLOSE_WRITE},
    MarkTry{FanotifyPermissions, FAN_CLASS_CONTENT, 0, FAN_OPEN_PERM},
    MarkTry{FanotifyOpenExecPerm, FAN_CLASS_CONTENT, 0, FAN_OPEN_EXEC_PERM},
    MarkTry{FanotifyRename, FAN_REPORT_DFID_NAME_TARGET, 0, FAN_RENAME | FAN_ONDIR},
    MarkTry{FanotifyMarkEvictable, FAN_CLASS_NOTIF, FAN_MARK_EVICTABLE, FAN_OPEN_EXEC},
};

int mark_error(const MarkTry& row) {
    const UniqueFd group{
        ::fanotify_init(row.group | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC)};
    if (!group) {
        return errno;
    }
    const int done = ::fanotify_mark(group.get(), FAN_MARK_ADD | row.mark, row.mask, AT_FDCWD, "/");
    return done < 0 ? errno : 0;
}

// --- BPF
// ------------------------------------------------------------------------------------------
long bpf(bpf_cmd command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

struct MapTry {
    KernelFeature feature;
    bpf_map_type type;
    std::uint32_t key;
    std::uint32_t value;
    std::uint32_t entries;
    std::uint32_t flags;
};

constexpr std::array kMaps{
    MapTry{BpfSyscall, BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0},
    MapTry{BpfLruHash, BPF_MAP_TYPE_LRU_HASH, 4, 4, 1, 0},
    MapTry{BpfLpmTrie, BPF_MAP_TYPE_LPM_TRIE, 8, 4, 1, BPF_F_NO_PREALLOC},
    MapTry{BpfPerfBuffer, BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1, 0},
};

UniqueFd make_map(const MapTry& row, int inner = 0) {
    bpf_attr attributes{};
    attributes.map_type = row.type;
    attributes.key_size = row.key;
    attributes.value_size = row.value;
    attributes.max_entries = row.entries;
    attributes.map_flags = row.flags;
    attributes.inner_map_fd = static_cast<std::uint32_t>(inner);
    return UniqueFd{static_cast<int>(bpf(BPF_MAP_CREATE, attributes))};
}

int map_error(const MapTry& row) {
    return make_map(row) ? 0 : errno;
}

int map_in_map_error() {
    const auto inner = make_map(kMaps.front());
    if (!inner) {
        return errno;
    }
    constexpr MapTry kOuter{BpfMapInMap, BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0};
    return make_map(kOuter, inner.get()) ? 0 : errno;
}

int ring_buffer_error() {
    // Its size is a power of two and whole pages.
    const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
    return map_error({BpfRingBuffer, BPF_MAP_TYPE_RINGBUF, 0, 0, page, 0});
}

struct ProgramTry {
    KernelFeature feature;
    bpf_prog_type type;
    std::uint32_t attach;
};

constexpr std::array kPrograms{
    ProgramTry{BpfRawTracepoint, BPF_PROG_TYPE_RAW_TRACEPOINT, 0},
    ProgramTry{BpfTracing, BPF_PROG_TYPE_TRACEPOINT, 0},
    ProgramTry{BpfCgroupSkb, BPF_PROG_TYPE_CGROUP_SKB, 0},
    ProgramTry{BpfCgroupConnect, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT},
    ProgramTry{BpfCgroupSendmsg, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG},
};

std::uint64_t address(const void* pointer) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): as bpf_attr wants it
    return reinterpret_cast<std::uintptr_t>(pointer);
}

int program_error(const ProgramTry& row) {
    // r0 = 1; exit: "let it pass" to a cgroup hook, nothing to a tracepoint.
    const std::array<bpf_insn, 2> code{
        bpf_insn{
            .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1},
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    bpf_attr attributes{};
    attributes.prog_type = row.type;
    attributes.insns = address(code.data());
    attributes.insn_cnt = code.size();
    attributes.license = address("GPL");
    attributes.expected_attach_type = row.attach;
    const UniqueFd program{static_cast<int>(bpf(BPF_PROG_LOAD, attributes))};
    return program ? 0 : errno;
}

// A program for a function or a tracepoint that no kernel has, type number 1 of its description:
// EINVAL is the answer of one that went as far as looking for it.
int tracing_error(std::uint32_t attach) {
    const std::array<bpf_insn, 2> code{
        bpf_insn{
            .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_TRACING;
    attributes.insns = address(code.data());
    attributes.insn_cnt = code.size();
    attributes.license = address("GPL");
    attributes.expected_attach_type = attach;
    attributes.attach_btf_id = 1;
    const UniqueFd program{static_cast<int>(bpf(BPF_PROG_LOAD, attributes))};
    return program ? 0 : errno;
}

int btf_error() {
    // A header, one type (int, four bytes) and its name: linux/btf.h.
    struct Blob {
        std::uint16_t magic = 0xeb9f;
        std::uint8_t version = 1;
        std::uint8_t flags = 0;
        std::uint32_t header = 24;
        std::uint32_t type_offset = 0;
        std::uint32_t type_length = 16;
        std::uint32_t string_offset = 16;
        std::uint32_t string_length = 5;
        std::array<std::uint32_t, 4> type{1, 1U << 24U, 4, (1U << 24U) | 32U};
        std::array<char, 8> strings{'\0', 'i', 'n', 't', '\0'};
    };

    constexpr std::uint32_t kSize = 24 + 16 + 5;
    const Blob blob;
    bpf_attr attributes{};
    attributes.btf = address(&blob);
    attributes.btf_size = kSize;
    const UniqueFd btf{static_cast<int>(bpf(BPF_BTF_LOAD, attributes))};
    return btf ? 0 : errno;
}

}  // namespace

Fact<bool> meaning_of(int error, const char* call) {
    if (error == 0) {
        return Fact<bool>::known(true, call);
    }
    const std::string said = std::string(call) + ": " + ::strerrordesc_np(error);
    // E2BIG: a member of bpf_attr that an older kernel does not have. ENOTSUPP (524 inside the
    // kernel, without a name here): a part is not built.
    constexpr int kNotSupported = 524;
    const bool absent = error == EINVAL || error == ENOSYS || error == E2BIG ||
                        error == EOPNOTSUPP || error == kNotSupported;
    return absent ? Fact<bool>::known(false, said) : Fact<bool>::unknown(said, call);
}

Fact<bool> probe_trampolines(bool has_btf) {
    constexpr const char* kCall = "BPF_PROG_LOAD";
    if (!has_btf) {
        return Fact<bool>::unknown("the kernel does not describe its functions (BTF)", kCall);
    }
    const auto refused = [](int error) { return error == EPERM || error == EACCES; };
    const int tracepoint = tracing_error(BPF_TRACE_RAW_TP);
    const int trampoline = tracing_error(BPF_TRACE_FENTRY);
    if (refused(tracepoint)) {
        return Fact<bool>::unknown("programs of any kind are refused", kCall);
    }
    return refused(trampoline)
               ? Fact<bool>::known(false, std::string(kCall) + ": " + ::strerrordesc_np(trampoline))
               : Fact<bool>::known(true, kCall);
}

FeatureFacts probe_features(const FeatureFacts& concluded) {
    FeatureFacts facts = concluded;
    const auto set = [&](KernelFeature feature, int error, const char* call) {
        facts.insert_or_assign(feature, meaning_of(error, call));
    };
    set(Fanotify, fanotify_error(FAN_CLASS_NOTIF), "fanotify_init");
    set(FanotifyReportFid, fanotify_error(FAN_REPORT_FID), "fanotify_init");
    set(FanotifyReportDfidName, fanotify_error(FAN_REPORT_DFID_NAME), "fanotify_init");
    set(FanotifyReportPidfd, fanotify_error(FAN_REPORT_PIDFD), "fanotify_init");
    set(FanotifyReportTargetFid, fanotify_error(FAN_REPORT_DFID_NAME_TARGET), "fanotify_init");
    for (const auto& row : kMarks) {
        set(row.feature, mark_error(row), "fanotify_mark");
    }
    for (const auto& row : kMaps) {
        set(row.feature, map_error(row), "BPF_MAP_CREATE");
    }
    set(BpfRingBuffer, ring_buffer_error(), "BPF_MAP_CREATE");
    set(BpfMapInMap, map_in_map_error(), "BPF_MAP_CREATE");
    for (const auto& row : kPrograms) {
        set(row.feature, program_error(row), "BPF_PROG_LOAD");
    }
    set(BpfBtfLoad, btf_error(), "BPF_BTF_LOAD");
    return facts;
}

}  // namespace vigia::host
