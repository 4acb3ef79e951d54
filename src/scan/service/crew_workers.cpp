// SPDX-License-Identifier: GPL-2.0-or-later
// What a crew does about its workers: missing ones, dead ones.
#include <fcntl.h>

#include <chrono>
#include <csignal>
#include <ranges>
#include <utility>

#include "scan/service/crew.h"
#include "scan/service/process_facts.h"

namespace vigia::scan::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kSayHow{300};  // for the zygote to tell how a worker ended
constexpr seconds kReapTime{5};       // then a zygote that has not reaped it is stuck
constexpr seconds kStormWindow{1};
constexpr seconds kStormOver{60};
constexpr std::size_t kStorm = 5;  // workers dead unused within the window

}  // namespace

std::optional<BootTime> Crew::due(const Post& post) const {
    if (post.buried) {
        return post.gone ? std::optional(*post.gone + kReapTime) : std::nullopt;
    }
    const auto since = post.gone ? post.gone : pool_.condition(post.id).killed_at;
    return since ? std::optional(*since + kSayHow) : std::nullopt;
}

void Crew::watch_workers(BootTime now, const Tell& tell) {
    for (auto& post : posts_ | std::views::values) {
        if (!post.gone && has_ended(post.pidfd.get())) {
            post.gone = now;
        }
        const auto deadline = due(post);
        if (!deadline || now < *deadline) {
            continue;
        }
        if (post.buried) {
            fall("exec-failed", "does not reap its workers");
            return;
        }
        bury(post, "ended in a way that was not told", now, tell);
    }
}

void Crew::bury(Post& post, std::string how, BootTime now, const Tell& tell) {
    if (std::exchange(post.buried, true)) {
        return;
    }
    const auto condition = pool_.condition(post.id);
    if (condition.unused && !condition.killed_at) {
        note_stillborn(now);
    }
    if (const auto loss = pool_.loss_of(post.id, std::move(how))) {
        tell(*loss);
    }
    pool_.bury(post.id);
}

void Crew::note_stillborn(BootTime now) {
    if (!stillborn_.empty() && now - stillborn_.back() > kStormOver) {
        storm_backoff_.reset();
    }
    stillborn_.push_back(now);
    if (stillborn_.size() < kStorm) {
        return;
    }
    if (now - stillborn_.front() <= kStormWindow) {
        spawn_after_ = now + storm_backoff_.take();
    }
    stillborn_.pop_front();
}

void Crew::replenish(BootTime now) {
    if (phase_ != Phase::Serving || downfall_ || now < spawn_after_) {
        return;
    }
    const auto wanted = pool_.target();
    for (auto there = pool_.staying(serial()) + zygote_.starting(); there < wanted; ++there) {
        const auto asked = zygote_.spawn();
        if (!asked) {
            // Without a free slot the end of any worker makes one.
            if (asked.error().code != std::errc::resource_unavailable_try_again) {
                fall("exec-failed", asked.error().message());
            }
            return;
        }
    }
}

bool Crew::is_barren(BootTime now) const {
    return now < spawn_after_ && pool_.staying(serial()) == 0 && pool_.busy(serial()) == 0;
}

void Crew::end(const std::string& how, const Tell& tell) {
    for (auto& post : posts_ | std::views::values) {
        // What was killed for what it did is a loss of its own, not of the zygote.
        if (pool_.condition(post.id).guilty) {
            bury(post, how, BootClock::now(), tell);
        }
    }
    pool_.bury_engine(serial(), how);
    posts_.clear();
    if (trial_) {
        kill_by(trial_->worker().pidfd.get());
    }
    zygote_.process().kill(SIGKILL);
}

}  // namespace vigia::scan::detail
