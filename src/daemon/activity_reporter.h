// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/policy_store.h"
#include "daemon/reporter.h"
#include "daemon/who.h"
#include "model/flow.h"
#include "model/process.h"
#include "process_tree/process_tree.h"
#include "sensors/ebpf/address_lists.h"

namespace vigia::daemon {

// From what the sensors tell of processes and flows to events: the memory of processes is kept, and
// what policy wants kept goes to the journal as telemetry. Meetings with the block list are
// findings: they are collected here and made durable by whoever calls commit_findings(), because a
// disk must not hold up the sensor. Thread-safe.
class ActivityReporter {
public:
    struct Parts {
        Reporter& reporter;
        const PolicyStore& policies;
        process_tree::ProcessTree& tree;
        Who& who;
        std::function<void()> on_finding;  // there is something to commit
    };

    explicit ActivityReporter(Parts parts);

    void on_process(ProcessEvent&& event);
    // Kept until the batch ends: by then all processes that it may be of are known.
    void on_flow(FlowEvent&& event);
    void on_batch_end();

    // A connection that was there before the list that has its address, told once. `refused`: its
    // packets are dropped from now on.
    void on_listed(const FlowEvent& existing, bool refused);

    // Any thread but the sensor's; waits for the disk.
    void commit_findings();

    // Policy changed.
    void refresh();

    // Looked for in opened flows, where the kernel does not do it.
    void set_lists(sensors::AddressLists lists);

    [[nodiscard]] std::uint64_t findings() const { return findings_; }

private:
    // Who met which address how; told once a minute, or once if it is one connection.
    using Meeting = std::tuple<ProcessKey, IpAddress, FlowDirection, bool>;

    struct Told {
        BootTime at{};
        std::uint64_t repeated = 0;
    };

    void tell(const ProcessExec& exec);
    void tell(const ProcessFork& fork);
    void tell(const ProcessExit& exited);
    void tell(const FlowEvent& flow);
    void tell_flows();
    void correct_owners();
    void note_finding(const FlowEvent& flow);
    [[nodiscard]] bool is_repeated(const FlowEvent& flow, Told& told, bool is_new);
    [[nodiscard]] FlowFacts facts_of(const FlowEvent& flow);

    struct Wanted {
        bool launches = true;
        bool ends = true;
        bool opens = true;
        bool closes = true;
    };

    Parts parts_;
    std::mutex flow_mutex_;  // guards the four below; taken before mutex_
    std::vector<FlowEvent> flows_;
    std::map<Meeting, Told> meetings_;
    std::set<std::pair<std::uint64_t, bool>> told_;  // connections: id, refused
    sensors::AddressTable listed_;
    std::atomic<std::uint64_t> findings_ = 0;
    std::mutex mutex_;  // guards all below
    Wanted wanted_;
    std::deque<Event> waiting_;
};

}  // namespace vigia::daemon
