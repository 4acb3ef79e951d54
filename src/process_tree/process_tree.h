// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "model/flow.h"
#include "model/process.h"

namespace vigia::process_tree {

// Who is who, and who started whom. Fed with a snapshot and then with events in any order; keyed by
// number and start time, so that a number used again is another process. What has ended stays for a
// while, for events that come late. Thread-safe; every member is quick.
class ProcessTree {
public:
    struct Options {
        std::size_t most_living = 65'536;
        std::size_t most_ended = 16'384;
        std::chrono::seconds ended_for{60};
    };

    ProcessTree() : ProcessTree(Options{}) {}

    explicit ProcessTree(const Options& options) : options_(options) {}

    // Does not overwrite what events have said already.
    void seed(const std::vector<ProcessInfo>& snapshot);
    void apply(const ProcessEvent& event);

    // For when the ends of processes were not told for a while: whoever is living here, began
    // before `taken` and is not in this complete snapshot of that moment has ended.
    void end_missing(const std::vector<ProcessInfo>& snapshot, BootTime taken);

    // Forgets what ended more than `ended_for` before. apply() does it as well, by the event's
    // time.
    void expire(BootTime now);

    // Exactly this process, or, as times from /proc are rounded, the one of this number that began
    // within the same clock tick (10 ms). A start of 0: the newest of this number.
    [[nodiscard]] std::optional<ProcessInfo> find(const ProcessKey& key) const;

    // The one that had this number at that moment.
    [[nodiscard]] std::optional<ProcessInfo> find_at(pid_t pid, BootTime at) const;

    // The newest of this number that began before that moment, ended or not: whose doing something
    // was that is heard of a little later.
    [[nodiscard]] std::optional<ProcessInfo> last_before(pid_t pid, BootTime at) const;

    // Itself, its parent, …, as far as known, at most `most`.
    [[nodiscard]] std::vector<ProcessInfo> ancestry(const ProcessKey& key,
                                                    std::size_t most = 32) const;

    // The process behind a flow; nothing if the flow has no owner or it is forgotten.
    [[nodiscard]] std::optional<ProcessInfo> owner_of(const FlowEvent& flow) const;

    struct Size {
        std::size_t living = 0;
        std::size_t ended = 0;
        std::uint64_t displaced = 0;  // living ones that had to go for want of room
    };

    [[nodiscard]] Size size() const;

private:
    struct Node {
        ProcessInfo info;
        bool executed = false;  // `info` is its own, not that of whom it was forked from
        std::optional<BootTime> ended;
    };

    using Nodes = std::map<ProcessKey, Node>;

    Node& living_node(const ProcessKey& key);
    void end(Nodes::iterator at, BootTime when);
    void forget_ended(BootTime now);
    void apply_one(const ProcessExec& exec);
    void apply_one(const ProcessFork& fork);
    void apply_one(const ProcessExit& exited);
    [[nodiscard]] Nodes::const_iterator locate(const ProcessKey& key) const;

    Options options_;
    mutable std::mutex mutex_;  // guards all below
    Nodes nodes_;
    std::set<std::pair<std::uint64_t, ProcessKey>> living_;  // by start: the oldest is displaced
    std::deque<std::pair<BootTime, ProcessKey>> ended_;      // as told
    std::uint64_t displaced_ = 0;
};

}  // namespace vigia::process_tree
