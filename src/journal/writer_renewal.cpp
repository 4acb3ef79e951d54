// SPDX-License-Identifier: GPL-2.0-or-later
// The rarer half of the writer: opening, giving a file up, retention, and what is told of losses.
#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "journal/writer.h"

namespace vigia::journal {
namespace {

// A new file that is damaged before it has taken anything: the disk is at fault, not the file, and
// the first one that was set aside must not be pruned for its sake.
constexpr std::chrono::seconds kRenewAgain{60};

std::uint64_t add_to(std::vector<std::pair<std::string, std::uint64_t>>& per_class,
                     const DropCounts& counts) {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : counts) {
        per_class.emplace_back(std::to_string(name), count);
        sum += count;
    }
    return sum;
}

}  // namespace

Result<> Writer::ensure_open() {
    if (!store_) {
        // The reserve is for this as well: without a file nothing can be written at all.
        TRY(with_reserve([&] { return open_store(); }));
    }
    if (lost_journal_) {
        TRY(with_reserve([&] { return take_over(); }));
    }
    return {};
}

Result<> Writer::open_store() {
    auto opened = TRY(open_database(options_.file));
    state_.began_new = state_.began_new || opened.made;
    state_.unclean = state_.unclean || opened.unclean;
    tell_unclean_stop_ = tell_unclean_stop_ || opened.unclean;
    store_ = TRY(Store::open(std::move(opened),
                             {.sequence = 0,
                              .epoch = {},
                              .device_name = options_.device_name,
                              .boot_id = options_.boot_id,
                              .device_uid = options_.device_uid}));
    state_.first = 0;
    state_.ok = true;
    positions_.load(store_->epoch(), TRY(store_->positions()));
    watch_.note();
    reader_.allow();
    after_success();
    return {};
}

Result<> Writer::take_over() {
    const auto told = told_renewal();
    const auto write = [&]() -> Result<> {
        TRY(store_->begin());
        TRY(store_->take_over(lost_journal_->saved));
        TRY(store_->apply(told));
        return store_->commit();
    };
    if (auto written = write(); !written) {
        store_->roll_back();
        return written;
    }
    watch_.note();
    positions_.load(store_->epoch(), TRY(store_->positions()));
    lost_journal_.reset();
    return {};
}

// A disk that failed under us was repaired and mounted anew: its journal goes on, unless it is an
// older copy, whose numbers would be given twice.
Result<> Writer::reopen() {
    const auto before = state();
    const bool tell_unclean_stop = tell_unclean_stop_;
    reader_.close();
    store_.reset();
    watch_.reset();
    TRY(ensure_open());
    // It was this run that did not close it.
    state_.unclean = before.unclean;
    tell_unclean_stop_ = tell_unclean_stop;
    if (store_->epoch() == before.epoch && store_->last() < before.last) {
        return renew("journal-replaced");
    }
    return {};
}

Result<> Writer::renew(std::string reason) {
    const auto now = BootClock::now();
    if (!proven_ && now - renewed_at_ < kRenewAgain) {
        return fail(std::errc::io_error, "the journal begun a moment ago is damaged again");
    }
    reader_.close();
    Lost lost{.saved = {}, .reason = std::move(reason), .set_aside = {}};
    if (store_) {
        lost.saved = salvage(store_->database());
    }
    store_.reset();
    watch_.reset();
    lost.set_aside = TRY(set_aside(options_.file, clock_->wall()));
    if (lost.saved.epoch.empty() && !lost.set_aside.empty()) {
        if (auto damaged = sqlite::Database::open(lost.set_aside)) {
            lost.saved = salvage(*damaged);
        }
    }
    state_.began_new = true;
    state_.set_aside = lost.set_aside;
    state_.renewal_reason = lost.reason;
    state_.renewed_at = now;
    if (!lost_journal_) {
        lost_journal_ = std::move(lost);  // otherwise what the first one held is still to be saved
    }
    proven_ = false;
    renewed_at_ = now;
    return ensure_open();
}

Result<bool> Writer::retain() {
    TRY(ensure_open());
    const auto drop = [&]() -> Result<bool> {
        TRY(store_->begin());
        auto body = TRY(retention_.step(store_->database(), clock_->wall(), positions_.slowest()));
        const bool dropped = body.has_value();
        if (body) {
            const auto what = body->undelivered > 0 ? Severity::Major : Severity::Minor;
            const auto message = fmt::format(
                "Events were dropped from the journal ({}){}",
                body->reason,
                body->undelivered > 0 ? ", among them some that a sink had not taken yet" : "");
            Change told;
            told.events.push_back(event(what, message, *std::move(body)));
            TRY(store_->apply(told));
        }
        TRY(store_->commit());
        return dropped;
    };
    auto more = drop();
    if (!more) {
        store_->roll_back();
        return more;
    }
    if (*more) {
        TRY(Retention::shrink(store_->database()));
        state_.first = 0;  // asked anew
    }
    watch_.note();
    return more;
}

Event Writer::event(Severity severity, std::string message, EventsDroppedBody body) const {
    return {.severity = severity,
            .time = clock_->wall(),
            .message = std::move(message),
            .body = std::move(body)};
}

Change Writer::told_losses() const {
    Change told;
    const auto tell = [&](const DropCounts& counts, EventsDroppedBody body, const char* why) {
        const auto count = add_to(body.per_class, counts);
        if (count > 0) {
            told.events.push_back(event(Severity::Major,
                                        fmt::format("{} events were lost: {}", count, why),
                                        std::move(body)));
        }
    };
    tell(overflow_,
         {.reason = "telemetry-overflow"},
         "they came faster than the journal could write");
    tell(spool_.dropped(),
         {.reason = "storage-failed",
          .first_time = spool_.dropped_first(),
          .last_time = spool_.dropped_last()},
         "the journal could not be written for too long");
    if (tell_unclean_stop_) {
        told.events.push_back(event(
            Severity::Informational,
            fmt::format("The run before did not stop cleanly: telemetry of its last {} ms may "
                        "be missing, how much is not known",
                        options_.group.count()),
            {.reason = "unclean-stop"}));
    }
    return told;
}

Change Writer::told_renewal() const {
    const auto& lost = *lost_journal_;
    const auto where = lost.set_aside.empty() ? std::string("it was gone")
                                              : "it is kept as " + printable(lost.set_aside);
    Change told;
    told.events.push_back(event(Severity::Major,
                                fmt::format("A new journal was begun ({}): {}", lost.reason, where),
                                {.first = lost.saved.first,
                                 .last = lost.saved.last,
                                 .per_class = lost.saved.per_class,
                                 .reason = lost.reason,
                                 .undelivered = lost.saved.undelivered,
                                 .epoch = lost.saved.epoch}));
    return told;
}

}  // namespace vigia::journal
