// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/who.h"

#include "sensors/fallback/proc_table.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMostAncestors = 16;
constexpr std::uint64_t kTick = 10'000'000;

// Only if it is still the same one.
std::optional<ProcessInfo> from_proc(const ProcessKey& key) {
    auto process = key.pid > 0 ? sensors::read_process(key.pid) : std::nullopt;
    if (process && key.start_ns != 0) {
        const auto found = process->who.key.start_ns;
        const auto apart = found > key.start_ns ? found - key.start_ns : key.start_ns - found;
        if (apart > kTick) {
            return std::nullopt;
        }
    }
    return process;
}

}  // namespace

WallTime wall_time(BootTime at) {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now() -
                                                                  (Clock::boot() - at));
}

Who::Who(const process_tree::ProcessTree& tree)
    : tree_(tree), lines_(std::make_shared<const CommandLines>(Policy::Processes{})) {}

void Who::set_policy(const Policy::Processes& policy) {
    auto lines = std::make_shared<const CommandLines>(policy);
    const std::scoped_lock lock(mutex_);
    lines_ = std::move(lines);
}

ProcessFacts Who::facts_of(const ProcessInfo& process) {
    std::shared_ptr<const CommandLines> lines;
    {
        const std::scoped_lock lock(mutex_);
        lines = lines_;
    }
    const auto start = process.who.key.start_ns;
    ProcessFacts facts{.pid = process.who.key.pid,
                       .name = process.who.comm,
                       .path = process.path,
                       .command_line = lines->text_of(process.arguments),
                       .uid = process.who.uid,
                       .user = users_.name_of(process.who.uid)};
    if (start != 0) {
        facts.started =
            wall_time(BootTime{std::chrono::nanoseconds{static_cast<std::int64_t>(start)}});
    }
    return facts;
}

ProcessLine Who::line_of(const ProcessInfo& process) {
    ProcessLine line{.process = facts_of(process)};
    auto parent = process.parent;
    for (const auto& one : tree_.ancestry(parent, kMostAncestors)) {
        line.ancestors.push_back(facts_of(one));
        parent = one.parent;
    }
    // What the memory does not have is asked of /proc, as long as there is somebody to ask about.
    while (parent.pid > 0 && line.ancestors.size() < kMostAncestors) {
        const auto found = from_proc(parent);
        if (!found) {
            break;
        }
        line.ancestors.push_back(facts_of(*found));
        parent = found->parent;
    }
    return line;
}

ProcessLine Who::line_of(const ProcessOwner& owner) {
    if (const auto known = tree_.find(owner.key)) {
        return line_of(*known);
    }
    if (const auto found = from_proc(owner.key)) {
        return line_of(*found);
    }
    return line_of(ProcessInfo{.who = owner});
}

std::optional<ProcessLine> Who::line_at(pid_t pid, BootTime at) {
    if (pid <= 0) {
        return std::nullopt;
    }
    if (const auto known = tree_.last_before(pid, at); known && !known->path.empty()) {
        return line_of(*known);
    }
    if (const auto found = sensors::read_process(pid)) {
        return line_of(*found);
    }
    return std::nullopt;
}

}  // namespace vigia::daemon
