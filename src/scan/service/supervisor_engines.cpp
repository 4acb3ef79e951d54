// SPDX-License-Identifier: GPL-2.0-or-later
// Which engine serves, and what happens when one does not.
#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "scan/service/supervisor.h"

namespace vigia::scan::detail {
namespace {

using std::chrono::seconds;

// An engine that has served for so long did not die of its definitions: it is restarted at once.
constexpr seconds kProven{10};
// Zygotes that were killed and do not die (stuck in the kernel): no more are added to them.
constexpr std::size_t kMostDying = 4;
constexpr seconds kWaitForDying{1};

}  // namespace

void Supervisor::take_orders(BootTime now) {
    std::optional<ScanService::DefinitionSet> order;
    {
        const std::scoped_lock lock(mutex_);
        order.swap(order_);
    }
    if (!order) {
        return;
    }
    wanted_ = std::move(order);
    load_failed_ = false;
    backoff_.reset();
    start_at_ = now;
    if (candidate_) {
        dismiss(std::move(candidate_), "other definitions are wanted");
    }
}

void Supervisor::start_candidate(BootTime now) {
    start_at_.reset();
    const auto& set = wanted_ ? wanted_ : in_use_;
    if (!set || candidate_) {
        return;
    }
    if (dismissed_.size() >= kMostDying) {
        start_at_ = now + kWaitForDying;
        return;
    }
    auto crew = Crew::start(options_, *set, next_serial_++, pool_);
    if (!crew) {
        load_failed(crew.error(), now);
        return;
    }
    candidate_ = *std::move(crew);
}

void Supervisor::look_after_candidate(BootTime now) {
    if (!candidate_) {
        return;
    }
    if (const auto& downfall = candidate_->downfall()) {
        if (downfall->hostile) {
            tell_zygote_loss(*candidate_, downfall->failure.message);
        }
        const auto failure = downfall->failure;
        dismiss(std::move(candidate_), failure.message);
        load_failed(failure, now);
    } else if (candidate_->phase() == Crew::Phase::Tried) {
        promote(now);
    }
}

void Supervisor::load_failed(const ScanService::LoadFailure& failure, BootTime now) {
    const bool can_fall_back = wanted_ && in_use_;
    if (!can_fall_back) {
        load_failed_ = true;
        failure_ = fmt::format("{}{}{}: {}",
                               failure.cause,
                               failure.file.empty() ? "" : ": ",
                               failure.file,
                               failure.message);
    }
    if (can_fall_back) {
        wanted_.reset();
    }
    if (!active_) {
        start_at_ = can_fall_back ? now : now + backoff_.take();
    }
    publish(now);
    if (observer_.on_load_failed) {
        observer_.on_load_failed(failure);
    }
}

void Supervisor::promote(BootTime now) {
    if (draining_) {
        dismiss(std::move(draining_), "a newer engine has replaced it");
    }
    draining_ = std::move(active_);
    active_ = std::move(candidate_);
    if (wanted_) {
        in_use_ = std::move(wanted_);
        wanted_.reset();
    }
    failure_.clear();
    load_failed_ = false;
    active_->serve(now);
    active_->replenish(now);
    publish(now);
    if (observer_.on_ready) {
        observer_.on_ready(active_->engine());
    }
}

void Supervisor::look_after_active(BootTime now) {
    if (!active_) {
        return;
    }
    const auto& downfall = active_->downfall();
    if (!downfall) {
        return;
    }
    const auto how = downfall->failure.message;
    const auto since = active_->serving_since();
    tell_zygote_loss(*active_, how);
    failure_ = "the scan service's zygote ended: " + how;
    dismiss(std::move(active_), how);
    restart_after(since, now);
}

// A candidate that is loading already will do.
void Supervisor::restart_after(BootTime uptime_since, BootTime now) {
    if (candidate_) {
        return;
    }
    if (now - uptime_since >= kProven) {
        backoff_.reset();
        start_at_ = now;
    } else {
        start_at_ = now + backoff_.take();
    }
}

void Supervisor::look_after_old(BootTime /*now*/) {
    if (draining_) {
        const auto& downfall = draining_->downfall();
        if (downfall) {
            tell_zygote_loss(*draining_, downfall->failure.message);
        }
        if (downfall || pool_.busy(draining_->serial()) == 0) {
            dismiss(std::move(draining_), "a newer engine has replaced it");
        }
    }
    std::erase_if(dismissed_, [](const CrewPtr& crew) { return crew->over(); });
}

void Supervisor::dismiss(CrewPtr crew, const std::string& how) {
    crew->end(how, [this](const ScanService::Loss& loss) { tell_loss(loss); });
    dismissed_.push_back(std::move(crew));
}

}  // namespace vigia::scan::detail
