// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "policy/decide.h"

namespace vigia::daemon {

// What each rule has left out since the daemon started: file events and, of rules for threats,
// detections. A rule that is taken out and put back goes on counting. Thread-safe.
class ExclusionEffects {
public:
    void count(const policy::ExclusionMatch& match) {
        const std::scoped_lock lock(mutex_);
        auto found = counts_.find({match.set, match.rule});
        if (found == counts_.end()) {
            if (counts_.size() >= kMost) {
                ++beyond_;
                return;
            }
            found = counts_.emplace(std::pair(match.set, match.rule), 0).first;
        }
        ++found->second;
    }

    [[nodiscard]] std::uint64_t of(const std::string& set, const std::string& rule) const {
        const std::scoped_lock lock(mutex_);
        const auto found = counts_.find({set, rule});
        return found == counts_.end() ? 0 : found->second;
    }

private:
    static constexpr std::size_t kMost = 65'536;  // of all policies since the start

    mutable std::mutex mutex_;  // guards all below
    std::map<std::pair<std::string, std::string>, std::uint64_t> counts_;
    std::uint64_t beyond_ = 0;  // of rules for which there was no room
};

}  // namespace vigia::daemon
