// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/kernel_records.h"

#include <vigia_records.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vigia::wire {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t kNoId = ~0U;
constexpr std::size_t kExecFixed = offsetof(vigia_exec, data);
constexpr std::size_t kLargest = sizeof(vigia_exec);

BootTime boot_time(std::uint64_t ns) {
    return BootTime{std::chrono::nanoseconds{static_cast<std::int64_t>(ns)}};
}

template <std::size_t Size>
std::string text_of(const char (&field)[Size]) {  // NOLINT(*-avoid-c-arrays): a record's field
    return {field, strnlen(field, Size)};
}

ProgramId program_of(const vigia_program& program) {
    return {.device = program.device, .inode = program.inode};
}

ProcessKey key_of(std::uint32_t pid, std::uint64_t start_ns) {
    return {.pid = static_cast<pid_t>(pid), .start_ns = start_ns};
}

ProcessOwner owner_of(const vigia_owner& owner) {
    return {.key = key_of(owner.pid, owner.start_ns),
            .uid = owner.uid,
            .cgroup = owner.cgroup,
            .program = program_of(owner.program),
            .comm = text_of(owner.comm)};
}

// The record if `bytes` begin with one of exactly this kind of size.
template <typename Record>
std::optional<Record> fixed_record(Bytes bytes) {
    Record record{};
    if (bytes.size() < sizeof(record)) {
        return std::nullopt;
    }
    std::memcpy(&record, bytes.data(), sizeof(record));
    if (record.header.size != sizeof(record)) {
        return std::nullopt;
    }
    return record;
}

Credentials credentials_of(const vigia_exec& exec) {
    Credentials credentials{.uid = exec.uid,
                            .euid = exec.euid,
                            .suid = exec.suid,
                            .gid = exec.gid,
                            .egid = exec.egid,
                            .sgid = exec.sgid,
                            .capabilities = exec.capabilities};
    if (exec.login_uid != kNoId) {
        credentials.login_uid = exec.login_uid;
    }
    if (exec.session != kNoId) {
        credentials.session = exec.session;
    }
    return credentials;
}

// The variable part must be exactly the sum of its three pieces.
struct ExecText {
    std::string_view path, name, arguments;
};

std::optional<ExecText> exec_text(const vigia_exec& exec, Bytes bytes) {
    const std::size_t sizes[] = {exec.path_size, exec.name_size, exec.args_size};  // NOLINT
    if (exec.header.size < kExecFixed ||
        exec.header.size - kExecFixed != sizes[0] + sizes[1] + sizes[2]) {
        return std::nullopt;
    }
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes as text
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()) + kExecFixed,
                               exec.header.size - kExecFixed);
    return ExecText{.path = all.substr(0, sizes[0]),
                    .name = all.substr(sizes[0], sizes[1]),
                    .arguments = all.substr(sizes[0] + sizes[1])};
}

ProcessInfo info_of(const vigia_exec& exec, const ExecText& text) {
    const auto flagged = [&](unsigned flag) { return (exec.flags & flag) != 0; };
    const bool memory_file = flagged(VIGIA_EXEC_MEMFD);
    return {.who = {.key = key_of(exec.pid, exec.start_ns),
                    .uid = exec.uid,
                    .cgroup = exec.cgroup,
                    .program = program_of(exec.program),
                    .comm = text_of(exec.comm)},
            .parent = key_of(exec.parent_pid, exec.parent_start_ns),
            .credentials = credentials_of(exec),
            .namespaces = {.mount = exec.mount_namespace,
                           .pid = exec.pid_namespace,
                           .network = exec.network_namespace,
                           .pid_inside = static_cast<pid_t>(exec.namespace_pid)},
            .path = path_of_components(text.path, !memory_file, flagged(VIGIA_EXEC_PATH_CUT)),
            .called_as = std::string(text.name.substr(0, text.name.find('\0'))),
            .arguments = std::string(text.arguments),
            .arguments_total = exec.args_total,
            .file_mode = exec.file_mode,
            .path_cut = flagged(VIGIA_EXEC_PATH_CUT),
            .unlinked = flagged(VIGIA_EXEC_UNLINKED),
            .memory_file = memory_file,
            .kernel_thread = flagged(VIGIA_EXEC_KERNEL)};
}

std::optional<KernelRecord> decode_exec(Bytes bytes) {
    vigia_exec exec{};
    if (bytes.size() < kExecFixed) {
        return std::nullopt;
    }
    std::memcpy(&exec, bytes.data(), kExecFixed);
    const auto text = exec_text(exec, bytes);
    if (!text) {
        return std::nullopt;
    }
    if (exec.header.kind == VIGIA_KIND_TASK) {
        return RunningProcess{.process = info_of(exec, *text)};
    }
    return ProcessExec{.process = info_of(exec, *text),
                       .at = boot_time(exec.header.time_ns),
                       .by_thread = (exec.flags & VIGIA_EXEC_BY_THREAD) != 0,
                       .killed = (exec.flags & VIGIA_EXEC_KILLED) != 0};
}

std::optional<KernelRecord> decode_life(Bytes bytes) {
    const auto life = fixed_record<vigia_life>(bytes);
    if (!life) {
        return std::nullopt;
    }
    const auto parent = key_of(life->parent_pid, life->parent_start_ns);
    const auto at = boot_time(life->header.time_ns);
    if (life->header.kind == VIGIA_KIND_FORK) {
        return ProcessFork{.child = owner_of(life->process),
                           .parent = parent,
                           .creator = static_cast<pid_t>(life->creator_pid),
                           .at = at};
    }
    return ProcessExit{.process = owner_of(life->process),
                       .parent = parent,
                       .wait_status = life->exit_code,
                       .at = at};
}

std::optional<FlowChange> change_of(std::uint16_t kind) {
    switch (kind) {
        case VIGIA_KIND_CONNECT:
            return FlowChange::Connected;
        case VIGIA_KIND_ACCEPT:
            return FlowChange::Accepted;
        case VIGIA_KIND_CLOSE:
            return FlowChange::Closed;
        case VIGIA_KIND_UDP_BEGIN:
            return FlowChange::UdpBegun;
        case VIGIA_KIND_UDP_END:
            return FlowChange::UdpEnded;
        case VIGIA_KIND_OWNER:
            return FlowChange::OwnerChanged;
        case VIGIA_KIND_BLOCK:
            return FlowChange::ListedAddress;
        case VIGIA_KIND_SOCKET:
            return FlowChange::Existing;
        default:  // a number from the kernel, not an enum of ours
            return std::nullopt;
    }
}

Endpoint endpoint_of(const std::uint8_t (&address)[VIGIA_ADDRESS_SIZE],  // NOLINT(*-avoid-c-arrays)
                     std::uint16_t port) {
    Endpoint endpoint{.port = port};
    std::ranges::copy(address, endpoint.address.bytes.begin());
    return endpoint;
}

std::optional<KernelRecord> decode_flow(Bytes bytes) {
    const auto flow = fixed_record<vigia_flow>(bytes);
    if (!flow) {
        return std::nullopt;
    }
    const auto change = change_of(flow->header.kind);
    if (!change || flow->direction > VIGIA_DIRECTION_IN ||
        flow->owner_source > VIGIA_OWNER_HOLDER || flow->stop > VIGIA_STOP_PACKET_OUT) {
        return std::nullopt;
    }
    return FlowEvent{.change = *change,
                     .id = flow->id,
                     .owner = owner_of(flow->owner),
                     .owner_source = static_cast<OwnerSource>(flow->owner_source),
                     .direction = static_cast<FlowDirection>(flow->direction),
                     .protocol = flow->protocol,
                     .tcp_state = flow->state,
                     .local = endpoint_of(flow->local, flow->local_port),
                     .remote = endpoint_of(flow->remote, flow->remote_port),
                     .network_namespace = flow->network_namespace,
                     .at = boot_time(flow->header.time_ns),
                     .opened = boot_time(flow->opened_ns),
                     .bytes_sent = flow->bytes_sent,
                     .bytes_received = flow->bytes_received,
                     .error = flow->error,
                     .closer = static_cast<pid_t>(flow->closer_pid),
                     .stop = static_cast<ListStop>(flow->stop),
                     .denied = flow->denied != 0,
                     .listed = flow->listed != 0};
}

}  // namespace

std::string path_of_components(std::string_view components, bool rooted, bool cut) {
    std::string path;
    path.reserve(components.size() + 4);
    while (!components.empty()) {
        components.remove_suffix(components.back() == '\0' ? 1 : 0);
        const auto before = components.rfind('\0');
        const auto begin = before == std::string_view::npos ? 0 : before + 1;
        if (!path.empty() || rooted) {
            path += '/';
        }
        path += components.substr(begin);
        components = components.substr(0, begin);
    }
    return cut ? "…" + path : path;
}

std::optional<KernelRecord> decode_kernel_record(Bytes bytes) {
    vigia_header header{};
    if (bytes.size() < sizeof(header)) {
        return std::nullopt;
    }
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.size < sizeof(header) || header.size > kLargest || header.size > bytes.size()) {
        return std::nullopt;
    }
    const auto record = bytes.first(header.size);
    switch (header.kind) {
        case VIGIA_KIND_EXEC:
        case VIGIA_KIND_TASK:
            return decode_exec(record);
        case VIGIA_KIND_FORK:
        case VIGIA_KIND_EXIT:
            return decode_life(record);
        default:  // a number from the kernel, not an enum of ours
            return decode_flow(record);
    }
}

std::optional<KernelRecord> take_kernel_record(Bytes& rest) {
    const auto record = decode_kernel_record(rest);
    std::uint32_t size = 0;
    if (record) {
        std::memcpy(&size, rest.data(), sizeof(size));  // of the record, checked above
        rest = rest.subspan(size);
    } else {
        rest = {};
    }
    return record;
}

}  // namespace vigia::wire
