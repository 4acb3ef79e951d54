// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "journal/journal.h"

namespace vigia::journal {

// Events given up, by OCSF class.
using DropCounts = std::map<int, std::uint64_t>;

// Changes that could not be written, in order, until they can be. Bounded: above `max_events` a
// tenth of them goes, oldest of the lowest keep_rank first, counted; values and items always stay
// (of equal keys the newest). One thread at a time.
class Spool {
public:
    explicit Spool(std::size_t max_events) : max_events_(max_events) {}

    // `change` as it was refused: items that state an intent are left out.
    void hold(Change change);

    [[nodiscard]] bool empty() const noexcept { return changes_.empty(); }

    [[nodiscard]] std::size_t events() const noexcept { return events_; }

    // The oldest changes, together about `max_events` events, at least one change; not taken out.
    [[nodiscard]] std::vector<const Change*> oldest(std::size_t max_events) const;

    // The `count` oldest changes have been written.
    void written(std::size_t count);

    // Since the last time it was cleared.
    [[nodiscard]] const DropCounts& dropped() const noexcept { return dropped_; }

    // When the first and the last of them happened; nothing: none was dropped.
    [[nodiscard]] std::optional<WallTime> dropped_first() const noexcept { return dropped_first_; }

    [[nodiscard]] std::optional<WallTime> dropped_last() const noexcept { return dropped_last_; }

    void clear_dropped() noexcept {
        dropped_.clear();
        dropped_first_.reset();
        dropped_last_.reset();
    }

    // Dropped since the beginning.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
    void shrink();
    std::size_t drop_of_rank(int rank, std::size_t excess);
    void note_dropped(const Event& event);
    void fold_oldest();

    std::size_t max_events_;
    std::deque<Change> changes_;
    std::size_t events_ = 0;
    DropCounts dropped_;
    std::optional<WallTime> dropped_first_;
    std::optional<WallTime> dropped_last_;
    std::uint64_t lost_ = 0;
};

}  // namespace vigia::journal
