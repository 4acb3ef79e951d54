// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/inbox.h"

#include <algorithm>
#include <utility>

#include "wire/event_json.h"

namespace vigia::journal {
namespace {

constexpr std::size_t kBatchEvents = 2000;  // a commit that comes meanwhile waits for them
constexpr std::size_t kTelemetryPerRequest = 1000;

bool is_telemetry(const Request& request) noexcept {
    return request.wish == Wish::Write && !request.ticket;
}

}  // namespace

void Inbox::push(Request request) {
    requests_.push_back(std::move(request));
    ++tickets_;
    work_.notify_one();
}

Result<std::vector<StoredEvent>> Inbox::submit(Request request, std::chrono::milliseconds timeout) {
    auto ticket = std::make_shared<Ticket>();
    request.ticket = ticket;
    std::unique_lock lock(mutex_);
    if (stopping_) {
        return fail(std::errc::operation_canceled, "journal is stopping");
    }
    push(std::move(request));
    if (!answered_.wait_for(lock, timeout, [&] { return ticket->done; })) {
        return fail(std::errc::timed_out, "the storage of the journal does not answer");
    }
    return std::move(ticket->result);
}

void Inbox::notify(Request request) {
    const std::scoped_lock lock(mutex_);
    if (!stopping_) {
        push(std::move(request));
    }
}

void Inbox::append(Event event) {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || telemetry_ >= options_.max_telemetry) {
        ++overflow_[wire::class_uid(event)];
        ++dropped_;
        return;
    }
    // Room in the newest request, unless something that came later would be overtaken.
    if (requests_.empty() || !is_telemetry(requests_.back()) ||
        requests_.back().change.events.size() >= kTelemetryPerRequest) {
        requests_.emplace_back();
    }
    requests_.back().change.events.push_back(std::move(event));
    ++telemetry_;
    if (telemetry_ == 1) {
        oldest_telemetry_ = BootClock::now();
        work_.notify_one();  // it starts to wait for the group's time
    } else if (telemetry_ == options_.group_events) {
        work_.notify_one();
    }
}

bool Inbox::is_due() const {
    return stopping_ || tickets_ > 0 || telemetry_ >= options_.group_events ||
           (telemetry_ > 0 && BootClock::now() - oldest_telemetry_ >= options_.group);
}

DropCounts Inbox::overflow_to_tell() {
    constexpr std::chrono::seconds kAtLeastEvery{1};
    const auto now = BootClock::now();
    const bool over = telemetry_ < options_.max_telemetry / 2 || stopping_;
    if (overflow_.empty() || (!over && now - overflow_told_ < kAtLeastEvery)) {
        return {};
    }
    overflow_told_ = now;
    return std::exchange(overflow_, {});
}

Inbox::Batch Inbox::take(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    const auto until = BootClock::now() + patience;
    while (!is_due() && BootClock::now() < until) {
        auto wake = until;
        if (telemetry_ > 0) {
            wake = std::min(wake, oldest_telemetry_ + options_.group);
        }
        work_.wait_for(lock, wake - BootClock::now());
    }
    Batch batch;
    std::size_t events = 0;
    while (is_due() && !requests_.empty() && events < kBatchEvents) {
        auto& request = requests_.front();
        events += request.change.events.size();
        if (is_telemetry(request)) {
            batch.telemetry += request.change.events.size();
            telemetry_ -= request.change.events.size();
        } else {
            --tickets_;
        }
        batch.requests.push_back(std::move(request));
        requests_.pop_front();
    }
    oldest_telemetry_ = BootClock::now();
    batch.overflow = overflow_to_tell();
    batch.stopping = stopping_;
    batch.stop = stopping_ && requests_.empty();
    return batch;
}

void Inbox::answer(const std::shared_ptr<Ticket>& ticket, Result<std::vector<StoredEvent>> result) {
    {
        const std::scoped_lock lock(mutex_);
        ticket->result = std::move(result);
        ticket->done = true;
    }
    answered_.notify_all();
}

void Inbox::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    work_.notify_all();
}

std::size_t Inbox::waiting() const {
    const std::scoped_lock lock(mutex_);
    return telemetry_;
}

std::uint64_t Inbox::dropped() const {
    const std::scoped_lock lock(mutex_);
    return dropped_;
}

}  // namespace vigia::journal
