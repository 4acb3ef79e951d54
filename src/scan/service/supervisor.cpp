// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/supervisor.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "scan/service/process_facts.h"

namespace vigia::scan::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kEndTime{1};

}  // namespace

Supervisor::Supervisor(ScanService::Options options,
                       ScanService::Observer observer,
                       WorkerPool& pool,
                       const Waker& waker)
    : options_(std::move(options)),
      observer_(std::move(observer)),
      pool_(pool),
      waker_(waker),
      backoff_(options_.retry_backoff),
      thread_([this] { run(); }) {}

Supervisor::~Supervisor() {
    stopping_ = true;
    waker_.wake();
    thread_.join();
}

void Supervisor::load(ScanService::DefinitionSet set) {
    {
        const std::scoped_lock lock(mutex_);
        order_ = std::move(set);
    }
    waker_.wake();
}

Supervisor::Situation Supervisor::situation() const {
    const std::scoped_lock lock(mutex_);
    return situation_;
}

void Supervisor::run() {
    settle_thread("scan-keeper");
    while (!stopping_) {
        wait(next_deadline());
        waker_.drain();
        step(BootClock::now());
    }
    end_all();
}

void Supervisor::wait(BootTime until) const {
    std::vector<pollfd> watched{{.fd = waker_.fd(), .events = POLLIN, .revents = 0}};
    for (const auto* crew : {&active_, &candidate_, &draining_}) {
        if (*crew) {
            (*crew)->watch(watched);
        }
    }
    for (const auto& crew : dismissed_) {
        watched.push_back({.fd = crew->pidfd(), .events = POLLIN, .revents = 0});
    }
    poll_until(watched, until);
}

void Supervisor::step(BootTime now) {
    const auto tell = [this](const ScanService::Loss& loss) { tell_loss(loss); };
    for (auto* crew : {&active_, &candidate_, &draining_}) {
        if (*crew) {
            (*crew)->tend(now, tell);
        }
    }
    take_orders(now);
    look_after_old(now);
    look_after_active(now);
    look_after_candidate(now);
    if (start_at_ && now >= *start_at_) {
        start_candidate(now);
    }
    if (active_) {
        active_->replenish(now);
    }
    publish(now);
}

void Supervisor::tell_zygote_loss(const Crew& crew, const std::string& how) const {
    tell_loss({.zygote = true,
               .pid = crew.pid(),
               .how = how,
               .content = std::nullopt,
               .path = {},
               .size = 0});
}

void Supervisor::tell_loss(const ScanService::Loss& loss) const {
    if (observer_.on_loss) {
        observer_.on_loss(loss);
    }
}

void Supervisor::publish(BootTime now) {
    const bool barren = active_ && active_->is_barren(now);
    const bool failed = barren || (!active_ && load_failed_);
    Situation next;
    if (barren) {
        next.detail = "workers end as soon as they start";
    } else if (!failure_.empty()) {
        next.detail = failure_;
    } else if (candidate_) {
        next.detail = "loading definitions " + candidate_->engine().generation;
    } else if (active_ || in_use_) {
        next.detail.clear();
    }
    next.state = failed ? "failed" : active_ ? "ready" : "starting";
    if (active_) {
        next.zygote = active_->pid();
        next.engine = active_->engine();
        next.sandbox = active_->sandbox();
    } else if (candidate_) {
        next.zygote = candidate_->pid();
    }
    pool_.set_failed(failed);
    const std::scoped_lock lock(mutex_);
    situation_ = std::move(next);
}

BootTime Supervisor::next_deadline() const {
    auto next = start_at_.value_or(BootTime::max());
    for (const auto* crew : {&active_, &candidate_, &draining_}) {
        if (*crew) {
            next = std::min(next, (*crew)->next_deadline());
        }
    }
    return next;
}

void Supervisor::end_all() {
    for (auto* crew : {&active_, &candidate_, &draining_}) {
        if (*crew) {
            dismiss(std::move(*crew), "the scan service is stopping");
        }
    }
    const auto deadline = BootClock::now() + kEndTime;
    for (const auto& crew : dismissed_) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - BootClock::now());
        (void)has_ended(crew->pidfd(), std::max(left, milliseconds{0}));
    }
    dismissed_.clear();
    const std::scoped_lock lock(mutex_);
    situation_ = {.state = "stopped", .detail = {}};
}

}  // namespace vigia::scan::detail
