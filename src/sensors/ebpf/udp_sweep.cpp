// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/udp_sweep.h"

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <vigia_records.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace vigia::sensors {
namespace {

constexpr std::size_t kMostFlows = 65536;

BootTime boot_time(std::uint64_t ns) {
    return BootTime{std::chrono::nanoseconds{static_cast<std::int64_t>(ns)}};
}

Endpoint endpoint(const std::uint8_t* address, std::uint16_t port) {
    Endpoint one{.port = port};
    std::copy_n(address, one.address.bytes.size(), one.address.bytes.begin());
    return one;
}

FlowEvent ended(const vigia_udp_key& key, const vigia_udp_flow& flow, BootTime now) {
    return {.change = FlowChange::UdpEnded,
            .id = flow.id,
            .owner = {.key = {.pid = static_cast<pid_t>(flow.owner.pid),
                              .start_ns = flow.owner.start_ns},
                      .uid = flow.owner.uid,
                      .cgroup = flow.owner.cgroup,
                      .program = {.device = flow.owner.program.device,
                                  .inode = flow.owner.program.inode},
                      .comm = {flow.owner.comm, strnlen(flow.owner.comm, sizeof(flow.owner.comm))}},
            .owner_source = OwnerSource::Caller,
            .direction = static_cast<FlowDirection>(flow.direction),
            .protocol = IPPROTO_UDP,
            .local = endpoint(flow.local, flow.local_port),
            .remote = endpoint(key.remote, key.remote_port),
            .network_namespace = flow.network_namespace,
            .at = now,
            .opened = boot_time(flow.opened_ns),
            .bytes_sent = flow.bytes_sent,
            .bytes_received = flow.bytes_received};
}

}  // namespace

void end_idle_udp(int flows, BootTime now, const std::function<void(FlowEvent&&)>& on_end) {
    std::vector<vigia_udp_key> keys;
    vigia_udp_key key{};
    for (const vigia_udp_key* previous = nullptr;
         keys.size() < kMostFlows && bpf_map_get_next_key(flows, previous, &key) == 0;
         previous = &keys.back()) {
        keys.push_back(key);
    }
    for (const auto& one : keys) {
        vigia_udp_flow flow{};
        if (bpf_map_lookup_elem(flows, &one, &flow) != 0 ||
            now - boot_time(flow.last_ns) < kUdpIdle) {
            continue;
        }
        // Whoever takes it out tells of it; the kernel side does the same.
        if (bpf_map_delete_elem(flows, &one) == 0) {
            on_end(ended(one, flow, now));
        }
    }
}

}  // namespace vigia::sensors
