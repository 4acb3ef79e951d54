// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/spool.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "journal/store.h"
#include "wire/event_json.h"

namespace vigia::journal {
namespace {

bool is_intent(const QuarantineItem& item) noexcept {
    return item.state == QuarantineState::Storing || item.state == QuarantineState::Removing;
}

bool is_empty(const Change& change) noexcept {
    return change.events.empty() && change.quarantine.empty() && change.values.empty() &&
           change.episodes.empty();
}

}  // namespace

void Spool::hold(Change change) {
    std::erase_if(change.quarantine, is_intent);
    if (is_empty(change)) {
        return;
    }
    events_ += change.events.size();
    changes_.push_back(std::move(change));
    if (events_ > max_events_) {
        shrink();
    }
    while (changes_.size() > max_events_) {
        fold_oldest();
    }
}

void Spool::shrink() {
    std::set<int> ranks;
    for (const auto& change : changes_) {
        std::ranges::transform(change.events, std::inserter(ranks, ranks.end()), keep_rank);
    }
    std::size_t excess = events_ - (max_events_ - max_events_ / 10);
    for (const int rank : ranks) {
        excess -= drop_of_rank(rank, excess);
    }
    std::erase_if(changes_, is_empty);
}

std::size_t Spool::drop_of_rank(int rank, std::size_t excess) {
    std::size_t gone = 0;
    for (auto& change : changes_) {
        std::erase_if(change.events, [&](const Event& event) {
            if (gone == excess || keep_rank(event) != rank) {
                return false;
            }
            note_dropped(event);
            ++gone;
            return true;
        });
    }
    events_ -= gone;
    lost_ += gone;
    return gone;
}

void Spool::note_dropped(const Event& event) {
    ++dropped_[wire::class_uid(event)];
    dropped_first_ = std::min(dropped_first_.value_or(event.time), event.time);
    dropped_last_ = std::max(dropped_last_.value_or(event.time), event.time);
}

void Spool::fold_oldest() {
    auto oldest = std::move(changes_.front());
    changes_.pop_front();
    auto& next = changes_.front();
    next.values.merge(oldest.values);  // keeps those of `next`, which are newer
    std::erase_if(oldest.quarantine, [&](const QuarantineItem& item) {
        return std::ranges::find(next.quarantine, item.id, &QuarantineItem::id) !=
               next.quarantine.end();
    });
    next.quarantine.insert(next.quarantine.begin(),
                           std::make_move_iterator(oldest.quarantine.begin()),
                           std::make_move_iterator(oldest.quarantine.end()));
    std::erase_if(oldest.episodes, [&](const Episode& episode) {
        return std::ranges::find(next.episodes, episode.episode, &Episode::episode) !=
               next.episodes.end();
    });
    next.episodes.insert(next.episodes.begin(),
                         std::make_move_iterator(oldest.episodes.begin()),
                         std::make_move_iterator(oldest.episodes.end()));
    next.events.insert(next.events.begin(),
                       std::make_move_iterator(oldest.events.begin()),
                       std::make_move_iterator(oldest.events.end()));
}

std::vector<const Change*> Spool::oldest(std::size_t max_events) const {
    std::vector<const Change*> some;
    std::size_t events = 0;
    for (const auto& change : changes_) {
        if (!some.empty() && events + change.events.size() > max_events) {
            break;
        }
        some.push_back(&change);
        events += change.events.size();
    }
    return some;
}

void Spool::written(std::size_t count) {
    for (; count > 0; --count) {
        events_ -= changes_.front().events.size();
        changes_.pop_front();
    }
}

}  // namespace vigia::journal
