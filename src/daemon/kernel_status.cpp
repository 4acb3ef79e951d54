// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace vigia::daemon {
namespace {

using sensors::LoadCause;
using sensors::LoadFailure;

void append(std::string& text, const std::string& more) {
    text += (text.empty() || more.empty() ? "" : "; ") + more;
}

constexpr const char* kProcessesUnseen =
    "not seen: processes that end within a second, forks, how a process ended";
constexpr const char* kNetworkUnseen =
    "not seen: connections that end within a second, UDP without connect, bytes of UDP, other "
    "network namespaces; bytes of TCP as of the last look; nothing can be refused";

// What every monitor says in the same way; false: there is nothing more to say.
bool begin(MonitorStatus& monitor,
           const KernelMonitor::State& state,
           const KernelMonitor::Half& half) {
    if (!monitor.wanted) {
        monitor.state = "off";
        monitor.detail = "not wanted by policy";
        return false;
    }
    if (half.backend.empty()) {
        monitor.state = state.applied ? "failed" : "unknown";
        monitor.detail = half.failure ? half.failure->message() : "is being opened";
        return false;
    }
    monitor.backend = half.backend;
    monitor.state = half.backend == "proc" ? "partial" : "ok";
    if (half.failure) {
        append(monitor.detail, "no programs in the kernel (" + half.failure->message() + ")");
    }
    return true;
}

bool is_of_network(const LoadFailure& failure) {
    // The only program of processes that the sensor does without lists what exists.
    return failure.program != "vigia_tasks";
}

void describe_lists(const KernelMonitor::State& state, MonitorStatus& monitor) {
    if (const auto prefixes = state.lists.prefixes4 + state.lists.prefixes6; prefixes > 0) {
        append(monitor.detail,
               fmt::format("networks listed: {} ({} KiB in the kernel)",
                           prefixes,
                           state.lists.kernel_bytes / 1024));
    }
    for (const auto& file : state.feeds) {
        if (!file.error.empty()) {
            append(monitor.detail, printable(file.path) + " cannot be read: " + file.error);
        } else if (file.bad > 0) {
            const auto& first = file.bad_lines.front();
            append(monitor.detail,
                   fmt::format("{}: {} lines left out, the first is line {} ('{}')",
                               printable(file.path),
                               file.bad,
                               first.line,
                               first.text));
        }
    }
    if (!state.lists_error.empty()) {
        monitor.state = "partial";
        append(monitor.detail, "the newest lists could not be loaded: " + state.lists_error);
    }
}

MonitorStatus processes_monitor(const KernelMonitor::State& state, bool wanted) {
    MonitorStatus monitor{.name = "processes", .wanted = wanted};
    if (!begin(monitor, state, state.processes)) {
        return monitor;
    }
    append(monitor.detail,
           fmt::format("processes known: {}, ended ones: {}", state.tree.living, state.tree.ended));
    if (monitor.backend == "proc") {
        append(monitor.detail, kProcessesUnseen);
    }
    if (monitor.backend == "ebpf-derived") {
        append(monitor.detail, "not told: mount namespaces");
    }
    return monitor;
}

MonitorStatus network_monitor(const KernelMonitor::State& state, bool wanted) {
    MonitorStatus monitor{.name = "network", .wanted = wanted};
    if (!begin(monitor, state, state.network)) {
        return monitor;
    }
    if (monitor.backend == "proc") {
        append(monitor.detail, kNetworkUnseen);
        if (!state.polling_error.empty()) {
            monitor.state = "failed";
            append(monitor.detail, "the list of sockets: " + state.polling_error);
        }
    } else {
        for (const auto& one : state.missing) {
            // Iterators cannot be had with derived types: no loss, /proc says the same.
            if (is_of_network(one) && one.program != "vigia_sockets") {
                monitor.state = "partial";
                append(monitor.detail, "without " + one.message());
            }
        }
    }
    describe_lists(state, monitor);
    return monitor;
}

Facts::Programs::Refusal refusal_of(const LoadFailure& failure) {
    return {
        .cause = std::string(sensors::kLoadCauseNames.at(static_cast<std::size_t>(failure.cause))),
        .error_number = failure.error,
        .program = failure.program,
        .detail = failure.detail,
        .log = failure.log};
}

// What runs is possible, whatever was concluded from elsewhere.
void prove(Facts::Kernel& kernel, const char* capability) {
    std::erase_if(kernel.missing, [&](const auto& one) { return one.capability == capability; });
    std::erase_if(kernel.undecided, [&](const auto& one) { return one.starts_with(capability); });
    if (std::ranges::find(kernel.carried, capability) == kernel.carried.end()) {
        kernel.carried.emplace_back(capability);
    }
    kernel.programs_impossible = false;
}

}  // namespace

std::vector<MonitorStatus> monitors_of(const KernelMonitor::State& state, const Policy& policy) {
    std::vector<MonitorStatus> monitors{
        processes_monitor(state, policy.processes.monitor),
        network_monitor(state, policy.network.device_flow_correlation)};
    if (state.delivery == "perf-buffer") {
        for (auto& monitor : monitors) {
            if (monitor.backend.starts_with("ebpf")) {
                append(monitor.detail, "through perf buffers: this kernel has no ring buffer");
            }
        }
    }
    if (state.missed_runs > 0) {
        for (auto& monitor : monitors) {
            if (monitor.backend.starts_with("ebpf")) {
                append(monitor.detail,
                       fmt::format("runs of our programs that the kernel left out: {}",
                                   state.missed_runs));
            }
        }
    }
    return monitors;
}

std::vector<Accounting> accounting_of(const KernelMonitor::State& state) {
    std::vector<Accounting> all;
    for (std::size_t at = 0; at < sensors::kEventClassNames.size(); ++at) {
        const auto name = sensors::kEventClassNames.at(at);
        Accounting one{.cls = std::string(name), .exact = true};
        const auto found =
            std::ranges::find(state.counters, name, &sensors::KernelSensor::Counters::event_class);
        if (found != state.counters.end()) {
            one.offered = found->offered;
            one.delivered = found->delivered;
            one.lost = found->lost;
            for (const auto& [reason, count] : found->filtered) {
                one.filtered.emplace(reason, count);
            }
            // Not even counted: the program was running on that processor already.
            one.exact = state.missed_runs == 0;
        }
        if (state.polled.at(at) + state.polled_excluded.at(at) > 0) {
            // Looking now and then does not say what it did not see.
            one.exact = false;
            one.offered += state.polled.at(at) + state.polled_excluded.at(at);
            one.delivered += state.polled.at(at);
            one.filtered["excluded-process"] += state.polled_excluded.at(at);
            one.lost.reset();
        }
        all.push_back(std::move(one));
    }
    return all;
}

void describe_programs(const KernelMonitor::State& state, Facts& facts) {
    auto& programs = facts.programs;
    programs.tried = state.applied && state.processes.wanted == facts.wanted.processes &&
                     state.network.wanted == facts.wanted.flows;
    programs.processes_run = state.processes.backend.starts_with("ebpf");
    programs.network_run = state.network.backend.starts_with("ebpf");
    programs.derive_error = state.derive_error;
    if (state.processes.backend == "proc" || state.network.backend == "proc") {
        programs.fallback = "/proc and sock_diag";
    }
    for (const auto& [half, refusal] : {std::pair{&state.processes, &programs.processes},
                                        std::pair{&state.network, &programs.network}}) {
        if (half->wanted && half->failure) {
            *refusal = refusal_of(*half->failure);
            programs.no_types = programs.no_types || half->failure->cause == LoadCause::NoBtf;
        }
    }
    if (programs.processes_run) {
        prove(facts.kernel, "processes");
    }
    if (programs.network_run) {
        prove(facts.kernel, "network");
    }
    if (programs.no_types) {
        facts.kernel.has_btf = Fact<bool>::known(false, "loading our programs");
    }
}

}  // namespace vigia::daemon
