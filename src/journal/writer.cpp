// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/writer.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <ranges>
#include <utility>

#include "base/files.h"

namespace vigia::journal {
namespace {

constexpr std::size_t kHeldPerPiece = 500;  // events of one transaction while catching up
constexpr std::chrono::seconds kRetry{1};
constexpr std::chrono::seconds kSizeCheck{1};
constexpr std::chrono::seconds kReserveRetry{5};

// The storage refuses for now; nothing is wrong with how we were set up.
bool may_pass(const Error& error) noexcept {
    constexpr std::array kPassing{ENOSPC, EDQUOT, EROFS, EIO, EBUSY};
    return std::ranges::find(kPassing, error.code.value()) != kPassing.end();
}

// The file system itself has given up; another mount in its place may be its repaired copy.
bool is_of_disk(const Error& error) noexcept {
    return error.code.value() == EROFS || error.code.value() == EIO;
}

// SQLite often says no more than that input or output failed; the folder says why.
Error explained(Error error, const std::filesystem::path& folder) {
    if (error.code.value() == EIO) {
        const auto probe = open_at(AT_FDCWD, folder.c_str(), O_TMPFILE | O_RDWR, 0600);
        if (!probe && probe.error().code.value() == EROFS) {
            error.code = probe.error().code;
        }
    }
    return error;
}

bool is_empty(const Change* change) noexcept {
    return change->events.empty() && change->values.empty() && change->quarantine.empty() &&
           change->episodes.empty();
}

bool has_ticket(const Request& request) noexcept {
    return request.ticket != nullptr;
}

}  // namespace

Writer::Writer(const Journal::Options& options, Reader& reader, Positions& positions)
    : options_(options),
      clock_(options.clock ? options.clock : std::make_shared<const Clock>()),
      reader_(reader),
      positions_(positions),
      watch_(options.file),
      spool_(options.max_held),
      reserve_(options.file.parent_path() / "journal.reserve", options.reserve),
      retention_({.max_bytes = options.max_bytes, .max_age = options.max_age}) {}

Result<> Writer::open() {
    auto opened = ensure_open();
    if (!opened && sqlite::is_damage(opened.error())) {
        opened = renew("journal-damaged");
    }
    if (opened || !may_pass(opened.error())) {
        return opened;
    }
    settle(std::unexpected(std::move(opened).error()));
    return {};
}

std::vector<Writer::Answer> Writer::process(Inbox::Batch batch) {
    std::vector<Answer> answers;
    for (const auto& [name, count] : batch.overflow) {
        overflow_[name] += count;
    }
    const auto wishes = std::ranges::stable_partition(
        batch.requests, [](const Request& request) { return request.wish == Wish::Write; });
    std::vector<Request> others(std::make_move_iterator(wishes.begin()),
                                std::make_move_iterator(wishes.end()));
    batch.requests.erase(wishes.begin(), wishes.end());
    write(std::move(batch.requests), answers);
    fulfil(std::move(others), answers);
    continue_retention(answers);
    return answers;
}

void Writer::write(std::vector<Request> requests, std::vector<Answer>& answers) {
    for (auto& change : requests | std::views::transform(&Request::change)) {
        for (auto& event : change.events) {
            event.time = event.time == WallTime{} ? clock_->wall() : event.time;
        }
    }
    const bool resting = failing_until_ && BootClock::now() < *failing_until_;
    const bool urgent = std::ranges::any_of(requests, has_ticket);
    if (resting && !urgent) {
        std::ranges::for_each(requests, [&](auto& one) { spool_.hold(std::move(one.change)); });
        return;
    }
    std::vector<const Change*> changes;
    std::ranges::transform(requests, std::back_inserter(changes), [](const Request& request) {
        return &request.change;
    });
    Stored stored;
    const auto result = attempt_or_renew(changes, stored);
    settle(result);
    for (std::size_t at = 0; at < requests.size(); ++at) {
        auto& request = requests[at];
        if (!result) {
            spool_.hold(std::move(request.change));
        }
        if (request.ticket && result) {
            answers.push_back({request.ticket, std::move(stored[at])});
        } else if (request.ticket) {
            answers.push_back({request.ticket, std::unexpected(result.error())});
        }
    }
}

void Writer::settle(const Result<>& result) {
    state_.ok = result.has_value();
    refuses_ = !result && is_of_disk(result.error());
    if (result) {
        state_.error.clear();
        state_.error_number = 0;
        failing_until_.reset();
        after_success();
    } else {
        const auto error = explained(result.error(), options_.file.parent_path());
        state_.error = error.message();
        state_.error_number = error.code.value();
        failing_until_ = BootClock::now() + kRetry;
    }
}

Result<> Writer::attempt_or_renew(Changes changes, Stored& stored) {
    auto result = attempt(changes, stored);
    if (result || !sqlite::is_damage(result.error())) {
        return result;
    }
    const char* moved = watch_.moved();
    TRY(renew(moved == nullptr ? "journal-damaged" : moved), result.error().message());
    return attempt(changes, stored);
}

Result<> Writer::attempt(Changes changes, Stored& stored) {
    TRY(ensure_open());
    if (refuses_ && watch_.is_elsewhere()) {
        TRY(reopen());
    }
    if (const char* moved = watch_.moved(); moved != nullptr) {
        return std::unexpected(
            Error{.code = {EUCLEAN, std::system_category()}, .context = std::string(moved)});
    }
    while (!spool_.empty()) {
        const auto held = spool_.oldest(kHeldPerPiece);
        Stored nobody_waits;
        TRY(with_reserve([&] { return transact(held, nobody_waits, false); }));
        spool_.written(held.size());
    }
    return with_reserve([&] { return transact(changes, stored, true); });
}

Result<> Writer::with_reserve(const std::function<Result<>()>& work) {
    auto result = work();
    if (result || !sqlite::is_no_space(result.error())) {
        return result;
    }
    if (reserve_.ready()) {
        reserve_.release();
        reserve_tried_at_ = BootClock::now();
    }
    if (store_) {
        store_->database().checkpoint();  // the WAL begins again at its start: space that we have
    }
    return work();
}

Result<> Writer::transact(Changes changes, Stored& stored, bool tell_losses) {
    std::vector<const Change*> all(changes.begin(), changes.end());
    const auto losses = tell_losses ? told_losses() : Change{};
    if (!losses.events.empty()) {
        all.push_back(&losses);
    }
    const auto moved = positions_.take_changes();
    if (moved.empty() && std::ranges::all_of(all, is_empty)) {
        stored.resize(all.size());
        return {};
    }
    if (auto filled = fill(all, moved, stored); !filled) {
        store_->roll_back();
        positions_.put_back(moved);
        return filled;
    }
    watch_.note();
    proven_ = true;
    if (tell_losses) {
        overflow_.clear();
        spool_.clear_dropped();
        tell_unclean_stop_ = false;
    }
    return {};
}

Result<> Writer::fill(Changes changes, const Positions::Changes& moved, Stored& stored) {
    stored.clear();
    TRY(store_->begin());
    for (const auto* change : changes) {
        stored.push_back(TRY(store_->apply(*change)));
    }
    for (const auto& [sink, sequence] : moved) {
        TRY(sequence ? store_->put_position(sink, *sequence) : store_->remove_position(sink));
    }
    return store_->commit();
}

void Writer::fulfil(std::vector<Request> wishes, std::vector<Answer>& answers) {
    for (auto& request : wishes) {
        if (request.wish == Wish::Retention) {
            retaining_ = true;
            retention_tickets_.push_back(std::move(request.ticket));
            continue;
        }
        Result<> done{};
        if (request.epoch.empty() || request.epoch == state_.epoch) {
            done = renew(request.why);
            settle(done);
        }
        if (request.ticket) {
            answers.push_back({request.ticket,
                               done ? Result<std::vector<StoredEvent>>{}
                                    : std::unexpected(std::move(done).error())});
        }
    }
}

void Writer::continue_retention(std::vector<Answer>& answers) {
    if (!retaining_) {
        return;
    }
    const auto more = retain();
    if (more && *more) {
        return;
    }
    if (!more && sqlite::is_damage(more.error())) {
        settle(renew("journal-damaged"));
    }
    retaining_ = false;
    for (auto& ticket : std::exchange(retention_tickets_, {})) {
        answers.push_back(
            {std::move(ticket),
             more ? Result<std::vector<StoredEvent>>{} : std::unexpected(more.error())});
    }
}

void Writer::after_success() {
    const auto now = BootClock::now();
    if (!reserve_.ready() && now - reserve_tried_at_ >= kReserveRetry) {
        reserve_tried_at_ = now;
        static_cast<void>(reserve_.prepare());  // state().reserve_ready tells
    }
    if (now - size_checked_at_ >= kSizeCheck && store_) {
        size_checked_at_ = now;
        retaining_ = retaining_ || retention_.too_large(store_->database()).value_or(false);
    }
}

std::chrono::milliseconds Writer::patience() const noexcept {
    return retaining_ ? std::chrono::milliseconds{0} : std::chrono::milliseconds{kRetry};
}

Journal::State Writer::state() {
    state_.waiting = spool_.events();
    state_.lost = spool_.lost();
    state_.reserve_ready = reserve_.ready();
    if (store_) {
        state_.epoch = store_->epoch();
        state_.last = store_->last();
        state_.bytes = watch_.bytes();
        if (state_.first == 0 && state_.last != 0) {
            state_.first = store_->first().value_or(0);
        }
    }
    return state_;
}

void Writer::finish() noexcept {
    reader_.close();
    if (store_ && spool_.empty() && watch_.moved() == nullptr) {
        store_->finish();
    }
    store_.reset();
}

void Writer::abandon() noexcept {
    reader_.close();
    store_.reset();
}

}  // namespace vigia::journal
