// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sink_pump.h"

#include <fmt/format.h>

#include "base/log.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kBatch = 1000;
constexpr std::chrono::seconds kRetry{1};
constexpr std::chrono::seconds kWait{30};  // new events and the end interrupt it

}  // namespace

SinkPump::SinkPump(Reporter& reporter, Options options)
    : reporter_(reporter), options_(std::move(options)) {}

SinkPump::~SinkPump() {
    thread_.request_stop();
    reporter_.wake();
}

void SinkPump::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

SinkPump::State SinkPump::state() const {
    const auto last = reporter_.journal().state().last;
    const std::scoped_lock lock(mutex_);
    return {.delivered = position_,
            .waiting = last > position_ ? last - position_ : 0,
            .error = error_,
            .error_number = error_number_,
            .torn_bytes = torn_bytes_,
            .renewed_at = renewed_at_};
}

Result<> SinkPump::open_sink() {
    epoch_ = reporter_.journal().state().epoch;
    auto opened = TRY(options_.open(epoch_, reporter_.journal().position(options_.name)));
    sink_ = std::move(opened.sink);
    const std::scoped_lock lock(mutex_);
    position_ = opened.position;
    torn_bytes_ += opened.torn_bytes;
    return {};
}

Result<bool> SinkPump::deliver_some() {
    if (!sink_) {
        TRY(open_sink(), "open");
    }
    std::uint64_t position = 0;
    {
        const std::scoped_lock lock(mutex_);
        position = position_;
    }
    if (reporter_.journal().state().epoch != epoch_) {
        epoch_ = reporter_.journal().state().epoch;  // a new journal numbers from one again
        position = 0;
    }
    const auto events = reporter_.journal().read({.after = position, .limit = kBatch});
    if (!events) {
        // No trouble of the file: the journal tells its own, and begins anew where it has to.
        reporter_.wait_beyond(UINT64_MAX, kRetry);
        return true;
    }
    if (events->empty()) {
        return false;
    }
    const auto renewals = sink_->renewals();
    const auto delivered = TRY(sink_->deliver(*events), "write");
    {
        const std::scoped_lock lock(mutex_);
        if (sink_->renewals() != renewals) {
            renewed_at_ = BootClock::now();
        }
        position_ = delivered;
    }
    TRY(reporter_.journal().acknowledge(options_.name, delivered), "acknowledge delivery");
    return true;
}

void SinkPump::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto more = deliver_some();
        say(more ? nullptr : &more.error());
        if (more && *more) {
            continue;
        }
        if (!more) {
            sink_.reset();
        }
        std::uint64_t position = 0;
        {
            const std::scoped_lock lock(mutex_);
            // While the file refuses, new events are no reason to try sooner.
            position = more ? position_ : UINT64_MAX;
        }
        reporter_.wait_beyond(position, more ? kWait : kRetry, stop);
    }
    (void)deliver_some();  // what stopping itself reported
}

void SinkPump::say(const Error* failure) {
    const auto error = failure == nullptr ? std::string{} : failure->message();
    const std::scoped_lock lock(mutex_);
    error_number_ = failure == nullptr ? 0 : failure->code.value();
    if (error != error_) {
        if (error.empty()) {
            log::info(fmt::format("events to {}: works again", options_.name));
        } else {
            log::error(fmt::format("events to {}: {}", options_.name, error));
        }
        error_ = error;
    }
}

}  // namespace vigia::daemon
