// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/health_monitor.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>

#include "base/log.h"
#include "health/catalogue.h"
#include "health/render.h"
#include "health/repairs.h"
#include "wire/fault_json.h"

namespace vigia::daemon {
namespace {

using health::Transition;
using std::chrono::milliseconds;

// Pushed changes are evaluated at once but not more often than this; without any, now and then,
// because some conditions are only the passing of time.
constexpr milliseconds kPause{20};
constexpr milliseconds kTickWhileRaised{500};
constexpr milliseconds kTick{2000};
constexpr std::size_t kMostJobs = 32;
constexpr std::chrono::minutes kFixPatience{1};
constexpr std::size_t kMostOpen = 1000;
// Instead of an epoch: what the run before left open could not be read yet.
constexpr const char* kUnread = "unread";
// Durable, with the events: the epoch of the journal that what is raised was told in. Another one
// was begun, and the daemon ended before it had told again.
constexpr const char* kToldIn = "faults-told-in";
constexpr std::size_t kHistory = 1000;  // episodes looked at for flapping

FaultPhase phase_of(Transition::Kind kind) {
    switch (kind) {
        case Transition::Kind::Raised:
            return FaultPhase::Raised;
        case Transition::Kind::Updated:
            return FaultPhase::Updated;
        case Transition::Kind::Cleared:
            return FaultPhase::Cleared;
        case Transition::Kind::AllCleared:
            return FaultPhase::AllCleared;
    }
    return FaultPhase::Raised;
}

std::string message_of(const Transition& transition, const FaultReport& report) {
    const auto& episode = transition.episode;
    switch (transition.kind) {
        case Transition::Kind::Raised:
            return fmt::format(
                "Fault {} raised: {}: {}{}",
                episode.id,
                report.title,
                report.description,
                episode.flapping ? " (it comes and goes; it stays raised until quiet)" : "");
        case Transition::Kind::Updated:
            return fmt::format("Fault {} changed, {}: {}",
                               episode.id,
                               wire::severity_word(episode.severity),
                               report.description);
        case Transition::Kind::Cleared:
            return fmt::format(
                "Fault {} cleared ({}): {}", episode.id, episode.cleared_because, report.title);
        case Transition::Kind::AllCleared:
            break;
    }
    return "All faults are cleared";
}

Event event_of(const Transition& transition) {
    if (transition.kind == Transition::Kind::AllCleared) {
        return {.severity = Severity::Informational,
                .message = message_of(transition, {}),
                .body = FaultBody{.phase = FaultPhase::AllCleared}};
    }
    const auto& episode = transition.episode;
    const auto report = health::render(episode, Language::English);
    FaultBody body{.phase = phase_of(transition.kind),
                   .id = episode.id,
                   .key = episode.key,
                   .title = report.title,
                   .cause = episode.cause,
                   .evidence = episode.evidence,
                   .cause_before = transition.cause_before,
                   .cleared_because = episode.cleared_because,
                   .raised_at = episode.raised_at,
                   .flapping = episode.flapping,
                   .recovered = episode.recovered};
    if (transition.severity_before) {
        body.severity_before = wire::severity_word(*transition.severity_before);
    }
    const bool over = transition.kind == Transition::Kind::Cleared;
    return {.correlation = episode.episode,
            .severity = over ? Severity::Informational : episode.severity,
            .message = message_of(transition, report),
            .body = std::move(body)};
}

// What the run before left open and could not be read at the start, because the storage refused,
// goes on. A fault that has been raised anew meanwhile ends its old episode.
std::vector<Transition> take_up(std::optional<health::Engine>& engine,
                                std::vector<Episode> kept,
                                WallTime now) {
    std::vector<Transition> over;
    auto open = engine->open();
    for (auto& old : kept) {
        const auto same = std::ranges::find(open, old.id, &Episode::id);
        if (same == open.end()) {
            open.push_back(std::move(old));
        } else if (same->episode != old.episode) {
            old.cleared_at = now;
            old.cleared_because = "condition-gone";
            over.push_back({.kind = Transition::Kind::Cleared, .episode = std::move(old)});
        }
    }
    engine.emplace(health::catalogue(), std::move(open));
    return over;
}

health::Timing with(health::Timing timing, const FaultOverride& wish) {
    timing.window = wish.window.value_or(timing.window);
    timing.threshold = wish.threshold.value_or(timing.threshold);
    timing.raise_after = wish.raise_after.value_or(timing.raise_after);
    timing.clear_after = wish.clear_after.value_or(timing.clear_after);
    timing.quiet_after = wish.quiet_after.value_or(timing.quiet_after);
    return timing;
}

}  // namespace

HealthMonitor::HealthMonitor(Parts parts) : parts_(std::move(parts)), started_(BootClock::now()) {
    view_.overall = {.state = "starting", .reason = "the first self-test has not passed yet"};
}

HealthMonitor::~HealthMonitor() {
    stop();
}

void HealthMonitor::stop() {
    evaluator_.request_stop();
    repairer_.request_stop();
    jobs_changed_.notify_all();
    for (auto* thread : {&evaluator_, &repairer_}) {
        if (thread->joinable()) {
            thread->join();
        }
    }
}

void HealthMonitor::start() {
    restore();
    evaluator_ = std::jthread([this](const std::stop_token& stop) { evaluate_forever(stop); });
    repairer_ = std::jthread([this](const std::stop_token& stop) { repair_forever(stop); });
}

void HealthMonitor::restore() {
    auto open = parts_.reporter.journal().episodes(true, kMostOpen);
    const std::scoped_lock lock(engine_mutex_);
    const auto state = parts_.reporter.journal().state();
    epoch_ = open ? state.epoch : kUnread;
    if (!open) {
        log::error("faults of the run before: " + open.error().message());
    }
    engine_.emplace(health::catalogue(), open.value_or(std::vector<Episode>{}));
    remember();
    const auto told = parts_.reporter.journal().value(kToldIn);
    told_ = told.value_or("");
    const bool begun_now = state.began_new && !state.set_aside.empty();
    if (open && (begun_now || (told && *told != state.epoch))) {
        epoch_.clear();  // what could be saved of the one before is told again
    }
}

void HealthMonitor::remember() {
    if (const auto history = parts_.reporter.journal().episodes(false, kHistory)) {
        engine_->remember(*history, parts_.reporter.now(), BootClock::now());
    }
}

void HealthMonitor::poke() {
    {
        const std::scoped_lock lock(wake_mutex_);
        poked_ = true;
    }
    wake_.notify_all();
}

void HealthMonitor::evaluate_forever(const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "fault-engine");  // what it costs can be seen
    while (!stop.stop_requested()) {
        const auto again_at = evaluate();
        auto wait = view().open.empty() ? kTick : kTickWhileRaised;
        if (again_at) {
            const auto left = std::chrono::ceil<milliseconds>(*again_at - BootClock::now());
            wait = std::clamp(left, milliseconds{1}, wait);
        }
        std::unique_lock lock(wake_mutex_);
        if (wake_.wait_for(lock, stop, wait, [this] { return poked_; })) {
            // Changes come in swarms.
            wake_.wait_for(lock, stop, kPause, [] { return false; });
        }
        poked_ = false;
    }
}

health::Engine::Settings HealthMonitor::settings() const {
    const auto policy = parts_.policies.current()->policy;
    health::Engine::Settings settings{.self_heal = policy->faults.self_heal,
                                      .install_packages = policy->faults.install_packages};
    for (const auto& wish : policy->faults.overrides) {
        if (const auto* fault = health::find_fault(wish.id)) {
            settings.timings[wish.id] = with(fault->timing, wish);
        }
    }
    return settings;
}

std::optional<BootTime> HealthMonitor::evaluate() {
    Facts facts;
    facts.started = started_;
    parts_.collect(facts);
    facts.now = BootClock::now();
    facts.wall = parts_.reporter.now();
    self_test_passed_ = self_test_passed_ || (facts.self_test && facts.self_test->ok);
    health::Engine::Outcome outcome;
    {
        const std::scoped_lock lock(engine_mutex_);
        const auto epoch = parts_.reporter.journal().state().epoch;
        std::vector<Transition> again;
        if (epoch_ == kUnread) {
            if (auto kept = parts_.reporter.journal().episodes(true, kMostOpen)) {
                again = take_up(engine_, *std::move(kept), facts.wall);
                remember();
                epoch_ = epoch;
            }
        } else if (epoch != epoch_ && !epoch.empty()) {
            epoch_ = epoch;
            again = engine_->tell_again(facts.wall);
        }
        outcome = engine_->evaluate(facts, settings());
        outcome.transitions.insert(outcome.transitions.begin(), again.begin(), again.end());
        commit(outcome.transitions, epoch);
    }
    publish(facts);
    {
        const std::scoped_lock lock(jobs_mutex_);
        for (auto& request : outcome.heals) {
            if (jobs_.size() < kMostJobs) {
                jobs_.push_back({.request = std::move(request)});
            }
        }
    }
    if (!outcome.heals.empty()) {
        jobs_changed_.notify_all();
    }
    return outcome.again_at;
}

// With engine_mutex_ held, so that the order in the journal is that of the engine.
void HealthMonitor::commit(const std::vector<Transition>& transitions, const std::string& epoch) {
    const bool begun = epoch_ != kUnread && !epoch.empty() && epoch != told_;
    if (transitions.empty() && !begun) {
        return;
    }
    journal::Change change;
    if (begun) {
        told_ = epoch;
        change.values[kToldIn] = epoch;
    }
    for (const auto& transition : transitions) {
        auto event = event_of(transition);
        log::warning(event.message);
        change.events.push_back(std::move(event));
        if (transition.kind != Transition::Kind::AllCleared) {
            change.episodes.push_back(transition.episode);
        }
    }
    // What cannot be written now is held by the journal, and written together.
    parts_.reporter.commit(std::move(change));
}

void HealthMonitor::publish(const Facts& facts) {
    View view;
    {
        const std::scoped_lock lock(engine_mutex_);
        view.open = engine_->open();
        view.doubts = engine_->doubts();
    }
    view.overall = health::overall_state(view.open, view.doubts, facts.now, self_test_passed_);
    const std::scoped_lock lock(view_mutex_);
    view_ = std::move(view);
}

HealthMonitor::View HealthMonitor::view() const {
    const std::scoped_lock lock(view_mutex_);
    return view_;
}

void HealthMonitor::repair_forever(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        Job job;
        {
            std::unique_lock lock(jobs_mutex_);
            if (!jobs_changed_.wait(lock, stop, [this] { return !jobs_.empty(); })) {
                return;
            }
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        {
            // What looks at the facts meanwhile sees the condition gone before we can report.
            const std::scoped_lock lock(engine_mutex_);
            engine_->heals(job.request.fault->id);
        }
        const auto result = parts_.repair(job.request.action, job.request.episode);
        tell_repair(job, result);
        {
            const std::scoped_lock lock(engine_mutex_);
            engine_->healed(job.request.fault->id, result, BootClock::now());
        }
        if (job.answer) {
            const std::scoped_lock lock(jobs_mutex_);
            *job.answer = result;
        }
        jobs_changed_.notify_all();
        poke();
    }
}

void HealthMonitor::tell_repair(const Job& job, const std::string& result) {
    const auto& request = job.request;
    journal::Change change;
    change.events.push_back(
        {.correlation = request.episode.episode,
         .severity = Severity::Informational,
         .message = fmt::format("repair of fault {} ({}){}: {}",
                                request.fault->id,
                                health::name_of(request.action),
                                job.by_hand ? ", asked for" : "",
                                result.empty() ? "done" : result),
         .body = ServiceBody{.action = ServiceAction::HealAttempted,
                             .facts = {{"fault", std::to_string(request.fault->id)},
                                       {"repair", std::string(health::name_of(request.action))},
                                       {"attempt", std::to_string(request.attempt)},
                                       {"result", result.empty() ? "done" : result}}}});
    parts_.reporter.commit(std::move(change));
}

Result<HealthMonitor::Repair> HealthMonitor::fix(int id) {
    const auto open = view().open;
    const auto found = std::ranges::find(open, id, &Episode::id);
    const auto* fault = health::find_fault(id);
    if (found == open.end() || fault == nullptr) {
        return fail(std::errc::no_such_file_or_directory,
                    fmt::format("fault {} is not raised", id));
    }
    const auto* cause = health::find_cause(*fault, found->cause);
    if (cause == nullptr || cause->heal.action == health::Heal::None) {
        return fail(
            std::errc::not_supported,
            fmt::format(
                "fault {} ({}) has no automatic repair; follow its remedy", id, found->cause));
    }
    Repair repair{.fault = id, .action = cause->heal.action, .result = {}};
    auto answer = std::make_shared<std::optional<std::string>>();
    std::unique_lock lock(jobs_mutex_);
    jobs_.push_back({.request = {.action = cause->heal.action,
                                 .fault = fault,
                                 .episode = *found,
                                 .attempt = found->heal_attempts + 1},
                     .by_hand = true,
                     .answer = answer});
    jobs_changed_.notify_all();
    if (!jobs_changed_.wait_for(
            lock, repairer_.get_stop_token(), kFixPatience, [&] { return answer->has_value(); })) {
        return fail(std::errc::timed_out, "the repair has not ended yet");
    }
    repair.result = **answer;
    return repair;
}

}  // namespace vigia::daemon
