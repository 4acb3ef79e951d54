// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/writers.h"

#include <algorithm>
#include <chrono>

namespace vigia::daemon {
namespace {

constexpr std::size_t kMostKnown = 4096;
constexpr int kMostAncestors = 32;
// Sets expire: what was decided once is decided again.
constexpr std::chrono::seconds kDecided{1};

}  // namespace

policy::ExclusionMatch Writers::excluded(const FileActivity& activity,
                                         const PolicyPtr& policy,
                                         WallTime now) {
    if (activity.pid <= 0 || !policy->exclusions.has_processes()) {
        return {};
    }
    const std::scoped_lock lock(mutex_);
    forget_other_policy(policy);
    const auto found = known_.find(activity.pid);
    if (found == known_.end() || found->second.looked_at < activity.read_at) {
        const auto looked_at = hooks_.now();
        auto process = hooks_.look(activity.pid);
        if (!process) {
            known_.erase(activity.pid);
            return {};
        }
        const bool same = found != known_.end() && found->second.process == *process;
        if (same && looked_at - found->second.looked_at < kDecided) {
            found->second.looked_at = looked_at;
        } else {
            if (known_.size() >= kMostKnown && found == known_.end()) {
                known_.clear();  // they are met again
            }
            // The look came after the moment from which it counts.
            auto match = match_of(*process, *policy, now);
            const auto since = same ? known_[activity.pid].since : hooks_.now();
            known_[activity.pid] = {.process = *std::move(process),
                                    .since = since,
                                    .looked_at = looked_at,
                                    .match = std::move(match)};
        }
    }
    const auto& known = known_[activity.pid];
    const bool certain = activity.after != BootTime{} && known.since <= activity.after;
    return certain ? known.match : policy::ExclusionMatch{};
}

void Writers::forget_other_policy(const PolicyPtr& policy) {
    if (policy_ != policy) {
        policy_ = policy;
        known_.clear();
    }
}

policy::ExclusionMatch Writers::match_of(const Process& process,
                                         const PolicyInForce& policy,
                                         WallTime now) const {
    if (auto match = policy.exclusions.match_process(
            {.program = process.path, .user = hooks_.user_name(process.uid)}, now);
        match.excluded) {
        return match;
    }
    auto parent = process.parent;
    for (int depth = 0; parent > 1 && depth < kMostAncestors; ++depth) {
        const auto above = hooks_.look(parent);
        if (!above) {
            break;
        }
        auto match = policy.exclusions.match_child_of(
            {.program = above->path, .user = hooks_.user_name(above->uid)}, now);
        if (match.excluded) {
            return match;
        }
        parent = above->parent;
    }
    return {};
}

}  // namespace vigia::daemon
