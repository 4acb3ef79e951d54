// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/positions.h"

#include <algorithm>
#include <cerrno>
#include <ranges>

namespace vigia::journal {

Result<> Positions::acknowledge(const std::string& sink,
                                std::uint64_t sequence,
                                const std::string& epoch) {
    const std::scoped_lock lock(mutex_);
    if (!epoch.empty() && epoch != epoch_) {
        return std::unexpected(Error{.code = {ESTALE, std::system_category()},
                                     .context = "acknowledge events of a journal that is gone"});
    }
    positions_[sink] = sequence;
    changed_.insert(sink);
    return {};
}

void Positions::forget(const std::string& sink) {
    const std::scoped_lock lock(mutex_);
    positions_.erase(sink);
    changed_.insert(sink);
}

std::uint64_t Positions::of(const std::string& sink) const {
    const std::scoped_lock lock(mutex_);
    const auto found = positions_.find(sink);
    return found == positions_.end() ? 0 : found->second;
}

std::optional<std::uint64_t> Positions::slowest() const {
    const std::scoped_lock lock(mutex_);
    if (positions_.empty()) {
        return std::nullopt;
    }
    return std::ranges::min(positions_ | std::views::values);
}

void Positions::load(const std::string& epoch,
                     const std::map<std::string, std::uint64_t>& positions) {
    const std::scoped_lock lock(mutex_);
    epoch_ = epoch;
    positions_ = positions;
    changed_.clear();
}

Positions::Changes Positions::take_changes() {
    const std::scoped_lock lock(mutex_);
    Changes changes;
    for (const auto& sink : changed_) {
        const auto found = positions_.find(sink);
        changes.emplace_back(
            sink, found == positions_.end() ? std::nullopt : std::optional(found->second));
    }
    changed_.clear();
    return changes;
}

void Positions::put_back(const Changes& changes) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [sink, sequence] : changes) {
        changed_.insert(sink);
    }
}

}  // namespace vigia::journal
