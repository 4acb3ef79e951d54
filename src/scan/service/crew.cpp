// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/crew.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ranges>
#include <string_view>
#include <utility>
#include <variant>

#include "scan/service/process_facts.h"

namespace vigia::scan::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kTrialTime{30};         // from Loaded to the answer of the first worker
constexpr seconds kStartTime{10};         // for the zygote to fork one worker
constexpr seconds kCloseTime{1};          // from closing its socket to its end
constexpr milliseconds kStormPause{500};  // after the first storm of dying workers
constexpr int kMessagesAtOnce = 64;

}  // namespace

// What the end of a process that has said nothing tells about the load. SIGKILL is what the kernel
// sends for memory, and what anybody may send.
std::string_view Crew::cause_of(int wait_status) const {
    if (!WIFSIGNALED(wait_status)) {
        return "exec-failed";
    }
    switch (WTERMSIG(wait_status)) {
        case SIGKILL: {
            const auto now = count_oom_kills_ ? count_oom_kills_() : std::nullopt;
            if (!now || !oom_kills_) {
                return "killed-or-out-of-memory";
            }
            return *now > *oom_kills_ ? "out-of-memory" : "killed";
        }
        case SIGSYS:
            return "sandbox-failed";
        default:
            return "definitions-rejected";
    }
}

std::expected<std::unique_ptr<Crew>, ScanService::LoadFailure> Crew::start(
    const ScanService::Options& options,
    const ScanService::DefinitionSet& set,
    std::uint64_t serial,
    WorkerPool& pool) {
    if (set.folders.empty()) {
        return std::unexpected(ScanService::LoadFailure{
            .cause = "no-definitions", .file = {}, .message = "there is no folder of definitions"});
    }
    auto zygote = Zygote::start(options, set, serial);
    if (!zygote) {
        return std::unexpected(ScanService::LoadFailure{
            .cause = "exec-failed", .file = {}, .message = zygote.error().message()});
    }
    return std::make_unique<Crew>(*std::move(zygote),
                                  set.generation,
                                  BootClock::now() + options.load_timeout,
                                  pool,
                                  options.oom_kills);
}

Crew::Crew(Zygote zygote,
           std::string generation,
           BootTime load_deadline,
           WorkerPool& pool,
           CountOomKills count_oom_kills)
    : zygote_(std::move(zygote)),
      pool_(pool),
      count_oom_kills_(std::move(count_oom_kills)),
      oom_kills_(count_oom_kills_ ? count_oom_kills_() : std::nullopt),
      phase_deadline_(load_deadline),
      storm_backoff_(kStormPause) {
    engine_.generation = std::move(generation);
}

Crew::~Crew() = default;

void Crew::fall(std::string cause, std::string message, bool hostile) {
    if (!downfall_) {
        const auto reaped = zygote_.process().peak_memory();
        downfall_ = Downfall{.failure = {.cause = std::move(cause),
                                         .file = {},
                                         .message = std::move(message),
                                         .memory = reaped > 0 ? reaped : peak_memory_of(pid())},
                             .hostile = hostile};
    }
}

void Crew::tend(BootTime now, const Tell& tell) {
    hear(now, tell);
    watch_zygote(now);
    watch_trial(now);
    watch_workers(now, tell);
}

void Crew::hear(BootTime now, const Tell& tell) {
    for (int i = 0; i < kMessagesAtOnce && !closed_ && !downfall_; ++i) {
        auto event = zygote_.next();
        if (!event) {
            fall("exec-failed", event.error(), true);
            return;
        }
        auto& heard = *event;
        if (!heard) {
            return;
        }
        std::visit([&](auto& known) { on(std::move(known), now, tell); }, *heard);
    }
}

void Crew::on(wire::Loaded&& message, BootTime now, const Tell& /*tell*/) {
    engine_.signatures = message.signatures;
    if (message.built_unix > 0) {
        engine_.built_unix = message.built_unix;
    }
    engine_.version = std::move(message.version);
    engine_.memory = peak_memory_of(pid());
    sandbox_ = std::move(message.sandbox);
    phase_ = Phase::Trying;
    phase_deadline_ = now + kTrialTime;
    if (const auto asked = zygote_.spawn(); !asked) {
        fall("exec-failed", asked.error().message());
    }
}

void Crew::on(wire::LoadFailed&& message, BootTime /*now*/, const Tell& /*tell*/) {
    downfall_ = Downfall{.failure = {.cause = std::string(wire::kLoadFailures.at(message.cause)),
                                     .file = std::move(message.file),
                                     .message = std::move(message.message),
                                     .memory = peak_memory_of(pid())},
                         .hostile = false};
}

void Crew::on(Zygote::Started&& event, BootTime /*now*/, const Tell& /*tell*/) {
    if (phase_ != Phase::Trying) {
        Post post{.pidfd = UniqueFd{::fcntl(event.worker.pidfd.get(), F_DUPFD_CLOEXEC, 0)}};
        const auto slot = event.worker.slot;
        post.id = pool_.add(std::move(event.worker));
        posts_.insert_or_assign(slot, std::move(post));
        return;
    }
    auto trial = Trial::begin(std::move(event.worker));
    if (!trial) {
        fall("exec-failed", trial.error().message());
        return;
    }
    trial_ = *std::move(trial);
}

void Crew::on(Zygote::Ended&& event, BootTime now, const Tell& tell) {
    const auto how = describe_wait_status(event.wait_status);
    if (phase_ == Phase::Trying && !trial_) {
        fall("out-of-memory", "the first worker could not be started");
        return;
    }
    if (phase_ == Phase::Trying || phase_ == Phase::Tried) {
        fall(std::string(cause_of(event.wait_status)),
             "the first worker ended when it was tried: " + how);
        return;
    }
    const auto post = posts_.find(event.slot);
    if (post == posts_.end()) {
        note_stillborn(now);
        return;
    }
    bury(post->second, how, now, tell);
    posts_.erase(post);
}

void Crew::on(Zygote::Closed&& /*event*/, BootTime now, const Tell& /*tell*/) {
    closed_ = now;
}

void Crew::watch_zygote(BootTime now) {
    if (downfall_) {
        return;
    }
    if (has_ended(pidfd())) {
        const int status = zygote_.process().wait(milliseconds{0}).value_or(0);
        fall(std::string(cause_of(status)), describe_wait_status(status));
    } else if (closed_ && now >= *closed_ + kCloseTime) {
        fall("exec-failed", "protocol violation: closed its socket", true);
    } else if (phase_ == Phase::Loading && now >= phase_deadline_) {
        fall("start-timeout", "the definitions were still being loaded when the time was over");
    } else if (phase_ == Phase::Trying && now >= phase_deadline_) {
        fall("start-timeout", "the first worker did not answer when it was tried");
    } else if (const auto since = zygote_.starting_since(); since && now >= *since + kStartTime) {
        fall("start-timeout", fmt::format("started no worker within {}", to_text(kStartTime)));
    }
}

void Crew::watch_trial(BootTime /*now*/) {
    if (downfall_ || phase_ != Phase::Trying || !trial_) {
        return;
    }
    switch (trial_->look()) {
        case Trial::Outcome::Open:
            return;
        case Trial::Outcome::Passed:
            phase_ = Phase::Tried;
            return;
        case Trial::Outcome::Failed:
            fall(trial_->failure().cause, trial_->failure().message, trial_->hostile());
            return;
    }
}

void Crew::serve(BootTime now) {
    if (!trial_) {
        return;
    }
    phase_ = Phase::Serving;
    serving_since_ = now;
    on(Zygote::Started{.worker = std::move(*trial_).take_worker()}, now, {});
    trial_.reset();
    pool_.use_engine(serial());
}

bool Crew::over() const noexcept {
    return has_ended(pidfd());
}

void Crew::watch(std::vector<pollfd>& watched) const {
    const auto add = [&watched](int fd) {
        watched.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    };
    add(pidfd());
    if (!closed_) {
        add(zygote_.socket());
    }
    if (trial_ && trial_->socket() >= 0) {
        add(trial_->socket());
    }
    for (const auto& post : posts_ | std::views::values) {
        if (!post.gone) {
            add(post.pidfd.get());
        }
    }
}

BootTime Crew::next_deadline() const {
    auto next = BootTime::max();
    const auto consider = [&next](std::optional<BootTime> when) {
        next = std::min(next, when.value_or(next));
    };
    if (phase_ == Phase::Loading || phase_ == Phase::Trying) {
        consider(phase_deadline_);
    }
    if (const auto since = zygote_.starting_since()) {
        consider(*since + kStartTime);
    }
    if (closed_) {
        consider(*closed_ + kCloseTime);
    }
    if (spawn_after_ > BootClock::now()) {
        consider(spawn_after_);
    }
    for (const auto& post : posts_ | std::views::values) {
        consider(due(post));
    }
    return next;
}

}  // namespace vigia::scan::detail
