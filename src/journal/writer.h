// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "journal/database_file.h"
#include "journal/inbox.h"
#include "journal/journal.h"
#include "journal/positions.h"
#include "journal/reader.h"
#include "journal/reserve.h"
#include "journal/retention.h"
#include "journal/spool.h"
#include "journal/store.h"

namespace vigia::journal {

// Everything that happens to the file: group commits, what is held while writing fails, a full
// disk, a damaged or vanished file, retention. One thread at a time; no thread of its own.
class Writer {
public:
    struct Answer {
        std::shared_ptr<Ticket> ticket;
        Result<std::vector<StoredEvent>> result;
    };

    Writer(const Journal::Options& options, Reader& reader, Positions& positions);

    // The first opening. A full, read-only or failing file system is no error: process() tries
    // again.
    [[nodiscard]] Result<> open();

    // One batch, and one piece of the retention that is under way. What was refused is held.
    [[nodiscard]] std::vector<Answer> process(Inbox::Batch batch);

    // How long it may be left alone when nothing comes in.
    [[nodiscard]] std::chrono::milliseconds patience() const noexcept;

    // `waiting` and `lost` without what the inbox has.
    [[nodiscard]] Journal::State state();

    // A clean stop.
    void finish() noexcept;

    // A stop that is not: what waits is not written any more.
    void abandon() noexcept;

private:
    // A journal that had to be given up, until the next one has taken over what was saved.
    struct Lost {
        Salvage saved;
        std::string reason;  // stable word
        std::string set_aside;
    };

    using Changes = std::span<const Change* const>;
    using Stored = std::vector<std::vector<StoredEvent>>;

    void write(std::vector<Request> requests, std::vector<Answer>& answers);
    void fulfil(std::vector<Request> wishes, std::vector<Answer>& answers);
    void settle(const Result<>& result);
    [[nodiscard]] Result<> attempt_or_renew(Changes changes, Stored& stored);
    [[nodiscard]] Result<> attempt(Changes changes, Stored& stored);
    [[nodiscard]] Result<> with_reserve(const std::function<Result<>()>& work);
    [[nodiscard]] Result<> transact(Changes changes, Stored& stored, bool tell_losses);
    [[nodiscard]] Result<> fill(Changes changes, const Positions::Changes& moved, Stored& stored);
    [[nodiscard]] Result<> ensure_open();
    [[nodiscard]] Result<> open_store();
    [[nodiscard]] Result<> take_over();
    [[nodiscard]] Result<> reopen();
    [[nodiscard]] Result<> renew(std::string reason);
    [[nodiscard]] Result<bool> retain();
    void continue_retention(std::vector<Answer>& answers);
    void after_success();

    [[nodiscard]] Event event(Severity severity, std::string message, EventsDroppedBody body) const;
    [[nodiscard]] Change told_losses() const;
    [[nodiscard]] Change told_renewal() const;

    const Journal::Options options_;
    std::shared_ptr<const Clock> clock_;
    Reader& reader_;
    Positions& positions_;
    FileWatch watch_;
    Spool spool_;
    Reserve reserve_;
    Retention retention_;
    std::optional<Store> store_;
    std::optional<Lost> lost_journal_;
    DropCounts overflow_;             // of the inbox, to be told
    bool tell_unclean_stop_ = false;  // to be told
    bool refuses_ = false;            // the last attempt: EROFS or EIO
    bool proven_ = true;              // this file has taken a transaction since it was begun
    BootTime renewed_at_{};
    std::optional<BootTime> failing_until_;  // no further attempt for telemetry before
    BootTime reserve_tried_at_{};
    BootTime size_checked_at_{};
    std::vector<std::shared_ptr<Ticket>> retention_tickets_;
    bool retaining_ = false;
    Journal::State state_;
};

}  // namespace vigia::journal
