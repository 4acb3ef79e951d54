// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fallback/exclusions.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace vigia::sensors {

void Exclusions::set(std::vector<Program> programs) {
    programs_ = std::move(programs);
    held_.clear();
}

void Exclusions::update(const std::map<pid_t, ProcessInfo>& running) {
    Table judged;
    std::map<pid_t, bool> seen;
    if (any()) {
        for (const auto& [pid, process] : running) {
            judge(process, running, judged, seen);
        }
    }
    held_ = std::move(judged);
}

// The parent first, whatever the order of the numbers.
void Exclusions::judge(const ProcessInfo& process,
                       const std::map<pid_t, ProcessInfo>& running,
                       Table& judged,
                       std::map<pid_t, bool>& seen) const {
    std::vector<const ProcessInfo*> line{&process};
    for (auto at = running.find(process.parent.pid);
         at != running.end() && !seen.contains(at->first) && line.size() < running.size();
         at = running.find(at->second.parent.pid)) {
        line.push_back(&at->second);
    }
    for (const auto* one : line | std::views::reverse) {
        const auto pid = one->who.key.pid;
        if (!seen.try_emplace(pid, true).second) {
            continue;
        }
        const auto rule = std::ranges::find_if(programs_, [&](const Program& program) {
            return program.program == one->who.program &&
                   (!program.user || *program.user == one->who.uid);
        });
        const auto before = held_.find(pid);
        const auto parent = judged.find(one->parent.pid);
        if (before != held_.end() && before->second.key == one->who.key &&
            before->second.children) {
            judged.emplace(pid, before->second);
        } else if (rule != programs_.end()) {
            judged.emplace(pid, Held{.key = one->who.key, .children = rule->children});
        } else if (parent != judged.end() && parent->second.children) {
            judged.emplace(pid, Held{.key = one->who.key, .children = true});
        }
    }
}

bool Exclusions::contains(const ProcessKey& key) const {
    const auto found = held_.find(key.pid);
    return found != held_.end() && found->second.key == key;
}

}  // namespace vigia::sensors
