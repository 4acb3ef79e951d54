// SPDX-License-Identifier: GPL-2.0-or-later
#include "process_tree/process_tree.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace vigia::process_tree {
namespace {

constexpr std::uint64_t kTick =
    10'000'000;  // ns; USER_HZ is 100 on every architecture we build for

BootTime boot_time(std::uint64_t ns) {
    return BootTime{std::chrono::nanoseconds{static_cast<std::int64_t>(ns)}};
}

bool same_tick(std::uint64_t one, std::uint64_t other) {
    return (one > other ? one - other : other - one) < kTick;
}

}  // namespace

// The node, made if need be. A living one of the same number that began earlier must have ended
// without our being told.
ProcessTree::Node& ProcessTree::living_node(const ProcessKey& key) {
    if (const auto known = nodes_.find(key); known != nodes_.end()) {
        return known->second;
    }
    for (auto at = nodes_.lower_bound({.pid = key.pid});
         at != nodes_.end() && at->first.pid == key.pid && at->first.start_ns < key.start_ns;
         ++at) {
        if (!at->second.ended) {
            end(at, boot_time(key.start_ns));
        }
    }
    if (living_.size() >= options_.most_living) {
        nodes_.erase(living_.begin()->second);
        living_.erase(living_.begin());
        ++displaced_;
    }
    living_.emplace(key.start_ns, key);
    auto& node = nodes_[key];
    node.info.who.key = key;
    return node;
}

void ProcessTree::end(Nodes::iterator at, BootTime when) {
    if (at->second.ended) {
        return;
    }
    at->second.ended = when;
    living_.erase({at->first.start_ns, at->first});
    ended_.emplace_back(when, at->first);
}

void ProcessTree::forget_ended(BootTime now) {
    while (!ended_.empty() && (ended_.size() > options_.most_ended ||
                               now - ended_.front().first > options_.ended_for)) {
        nodes_.erase(ended_.front().second);
        ended_.pop_front();
    }
}

void ProcessTree::apply_one(const ProcessExec& exec) {
    auto& node = living_node(exec.process.who.key);
    const auto parent = node.info.parent;
    node.info = exec.process;
    if (parent.pid != 0) {
        node.info.parent = parent;  // who started it, not who took it over since
    }
    node.executed = true;
    forget_ended(exec.at);
}

void ProcessTree::apply_one(const ProcessFork& fork) {
    const auto from = locate(fork.parent);
    ProcessInfo inherited = from != nodes_.end() ? from->second.info : ProcessInfo{};
    auto& node = living_node(fork.child.key);
    if (!node.executed) {  // else its exec was told first
        node.info = std::move(inherited);
        node.info.who = fork.child;
        node.info.namespaces.pid_inside = 0;
        node.info.forked_only = true;
    }
    node.info.parent = fork.parent;
    forget_ended(fork.at);
}

void ProcessTree::apply_one(const ProcessExit& exited) {
    auto& node = living_node(exited.process.key);
    if (node.info.who.comm.empty()) {  // never heard of: what the exit says is all we know
        node.info.who = exited.process;
        node.info.parent = exited.parent;
    }
    end(nodes_.find(exited.process.key), exited.at);
    forget_ended(exited.at);
}

void ProcessTree::seed(const std::vector<ProcessInfo>& snapshot) {
    const std::scoped_lock lock(mutex_);
    for (const auto& process : snapshot) {
        const auto known = nodes_.find(process.who.key);
        if (known == nodes_.end()) {
            auto& node = living_node(process.who.key);
            node.info = process;
            node.executed = true;
        }
    }
}

void ProcessTree::end_missing(const std::vector<ProcessInfo>& snapshot, BootTime taken) {
    std::set<ProcessKey> present;
    for (const auto& process : snapshot) {
        present.insert(process.who.key);
    }
    const std::scoped_lock lock(mutex_);
    std::vector<ProcessKey> gone;
    for (const auto& [start, key] : living_) {
        if (boot_time(start) < taken && !present.contains(key)) {
            gone.push_back(key);
        }
    }
    for (const auto& key : gone) {
        end(nodes_.find(key), taken);
    }
    forget_ended(taken);
}

void ProcessTree::apply(const ProcessEvent& event) {
    const std::scoped_lock lock(mutex_);
    std::visit([this](const auto& one) { apply_one(one); }, event);
}

void ProcessTree::expire(BootTime now) {
    const std::scoped_lock lock(mutex_);
    forget_ended(now);
}

ProcessTree::Nodes::const_iterator ProcessTree::locate(const ProcessKey& key) const {
    if (key.pid == 0) {
        return nodes_.end();
    }
    if (key.start_ns == 0) {
        const auto after = nodes_.upper_bound(
            {.pid = key.pid, .start_ns = std::numeric_limits<std::uint64_t>::max()});
        return after != nodes_.begin() && std::prev(after)->first.pid == key.pid ? std::prev(after)
                                                                                 : nodes_.end();
    }
    if (const auto exact = nodes_.find(key); exact != nodes_.end()) {
        return exact;
    }
    for (auto at = nodes_.lower_bound({.pid = key.pid});
         at != nodes_.end() && at->first.pid == key.pid;
         ++at) {
        if (same_tick(at->first.start_ns, key.start_ns)) {
            return at;
        }
    }
    return nodes_.end();
}

std::optional<ProcessInfo> ProcessTree::find(const ProcessKey& key) const {
    const std::scoped_lock lock(mutex_);
    const auto at = locate(key);
    return at != nodes_.end() ? std::optional(at->second.info) : std::nullopt;
}

std::optional<ProcessInfo> ProcessTree::find_at(pid_t pid, BootTime at) const {
    const std::scoped_lock lock(mutex_);
    std::optional<ProcessInfo> found;
    for (auto node = nodes_.lower_bound({.pid = pid});
         node != nodes_.end() && node->first.pid == pid && boot_time(node->first.start_ns) <= at;
         ++node) {
        if (!node->second.ended || *node->second.ended >= at) {
            found = node->second.info;
        }
    }
    return found;
}

std::optional<ProcessInfo> ProcessTree::last_before(pid_t pid, BootTime at) const {
    const std::scoped_lock lock(mutex_);
    std::optional<ProcessInfo> found;
    for (auto node = nodes_.lower_bound({.pid = pid});
         node != nodes_.end() && node->first.pid == pid && boot_time(node->first.start_ns) <= at;
         ++node) {
        found = node->second.info;
    }
    return found;
}

std::vector<ProcessInfo> ProcessTree::ancestry(const ProcessKey& key, std::size_t most) const {
    const std::scoped_lock lock(mutex_);
    std::vector<ProcessInfo> line;
    for (auto at = locate(key); at != nodes_.end() && line.size() < most;
         at = locate(at->second.info.parent)) {
        line.push_back(at->second.info);
    }
    return line;
}

std::optional<ProcessInfo> ProcessTree::owner_of(const FlowEvent& flow) const {
    return find(flow.owner.key);
}

ProcessTree::Size ProcessTree::size() const {
    const std::scoped_lock lock(mutex_);
    return {.living = living_.size(), .ended = ended_.size(), .displaced = displaced_};
}

}  // namespace vigia::process_tree
