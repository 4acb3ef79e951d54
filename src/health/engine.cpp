// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/engine.h"

#include <algorithm>
#include <utility>

#include "health/catalogue.h"

namespace vigia::health {
namespace {

constexpr std::chrono::hours kFlapWindow{1};
constexpr std::size_t kMostEpisodes = 5;  // within kFlapWindow; the next one is flapping
constexpr std::size_t kMostUpdates = 20;  // of an hour; further changes of cause are not told
constexpr std::chrono::minutes kLongestBackoff{30};

void forget_old(std::deque<BootTime>& times, BootTime now) {
    while (!times.empty() && now - times.front() > kFlapWindow) {
        times.pop_front();
    }
}

void sooner(std::optional<BootTime>& at, BootTime candidate) {
    at = at ? std::min(*at, candidate) : candidate;
}

Timing timing_of(const Fault& fault, const Engine::Timings& timings) {
    const auto found = timings.find(fault.id);
    return found == timings.end() ? fault.timing : found->second;
}

}  // namespace

Engine::Engine(std::span<const Fault* const> catalogue, std::vector<Episode> open) {
    states_.reserve(catalogue.size());
    for (const auto* fault : catalogue) {
        State state{.fault = fault};
        const auto found = std::ranges::find(open, fault->id, &Episode::id);
        if (found != open.end()) {
            state.episode = std::move(*found);
            state.attempts_of_cause = state.episode->heal_attempts;
            any_open_ = true;
        }
        states_.push_back(std::move(state));
    }
}

Engine::Outcome Engine::evaluate(const Facts& facts, const Settings& settings) {
    Outcome outcome;
    for (auto& state : states_) {
        look_at(state, facts, settings, outcome);
    }
    const bool any =
        std::ranges::any_of(states_, [](const State& s) { return s.episode.has_value(); });
    if (any_open_ && !any) {
        outcome.transitions.push_back({.kind = Transition::Kind::AllCleared});
    }
    any_open_ = any;
    return outcome;
}

void Engine::look_at(State& state, const Facts& facts, const Settings& settings, Outcome& outcome) {
    const auto& fault = *state.fault;
    if (fault.wanted != nullptr && !fault.wanted(facts.wanted)) {
        state.failing_since.reset();
        state.ok_since.reset();
        state.doubt.reset();
        if (state.episode) {
            clear(state, "not-wanted-by-policy", facts, outcome);
        }
        return;
    }
    const auto timing = timing_of(fault, settings.timings);
    auto finding = fault.probe(facts, timing);
    const bool failing = finding.state == Finding::State::Failing;
    switch (finding.state) {
        case Finding::State::Unknown:
            // Neither raises nor clears; what was held to be so has to prove itself anew.
            state.failing_since.reset();
            state.ok_since.reset();
            if (!state.doubt) {
                state.doubt = Doubt{.id = fault.id, .why = {}, .since = facts.now};
            }
            state.doubt->why = std::move(finding.why);
            return;
        case Finding::State::Failing:
            on_failing(state, std::move(finding), facts, timing, outcome);
            break;
        case Finding::State::Ok:
            on_ok(state, facts, timing, outcome);
            break;
    }
    state.doubt.reset();
    if (state.episode && failing) {
        ask_for_repair(state, facts, settings, outcome);
    }
}

void Engine::on_failing(
    State& state, Finding finding, const Facts& facts, const Timing& timing, Outcome& outcome) {
    state.ok_since.reset();
    if (state.episode) {
        update(state, std::move(finding), facts, outcome);
        return;
    }
    if (!state.failing_since) {
        state.failing_since = facts.now;
    }
    const auto due = *state.failing_since + timing.raise_after;
    if (facts.now >= due) {
        raise(state, std::move(finding), facts, outcome);
    } else {
        sooner(outcome.again_at, due);
    }
}

void Engine::on_ok(State& state, const Facts& facts, const Timing& timing, Outcome& outcome) {
    state.failing_since.reset();
    if (!state.episode) {
        return;
    }
    if (!state.ok_since) {
        state.ok_since = facts.now;
    }
    const auto wait = state.episode->flapping ? std::max(timing.clear_after, timing.quiet_after)
                                              : timing.clear_after;
    const auto due = *state.ok_since + wait;
    if (facts.now >= due) {
        // Gone while our repair still runs is gone because of it.
        const bool healed = state.heal_worked || state.heal_runs;
        clear(state, healed ? "healed" : "condition-gone", facts, outcome);
    } else {
        sooner(outcome.again_at, due);
    }
}

void Engine::raise(State& state, Finding finding, const Facts& facts, Outcome& outcome) {
    forget_old(state.raises, facts.now);
    const bool flapping = state.raises.size() >= kMostEpisodes;
    if (!flapping) {
        state.raises.push_back(facts.now);
    }
    state.updates.clear();
    state.attempts_of_cause = 0;
    state.heal_worked = false;
    state.next_heal = facts.now;
    state.episode = Episode{.id = state.fault->id,
                            .key = std::string(state.fault->key),
                            .severity = finding.severity,
                            .cause = std::string(finding.cause),
                            .evidence = Evidence(std::move(finding.evidence)),
                            .raised_at = facts.wall,
                            .updated_at = facts.wall,
                            .flapping = flapping};
    outcome.transitions.push_back({.kind = Transition::Kind::Raised, .episode = *state.episode});
}

void Engine::update(State& state, Finding finding, const Facts& facts, Outcome& outcome) {
    auto& episode = *state.episode;
    const bool same = finding.severity == episode.severity && finding.cause == episode.cause;
    episode.evidence = Evidence(std::move(finding.evidence));
    if (same) {
        return;
    }
    forget_old(state.updates, facts.now);
    Transition told{.kind = Transition::Kind::Updated,
                    .severity_before = episode.severity,
                    .cause_before = std::exchange(episode.cause, std::string(finding.cause))};
    const bool worse = finding.severity > episode.severity;
    episode.severity = finding.severity;
    episode.updated_at = facts.wall;
    if (told.cause_before != episode.cause) {
        state.attempts_of_cause = 0;
        state.heal_worked = false;
        state.next_heal = facts.now;
    }
    if (state.updates.size() >= kMostUpdates && !worse) {
        episode.flapping = true;
        return;
    }
    state.updates.push_back(facts.now);
    if (state.updates.size() > 2 * kMostUpdates) {
        state.updates.pop_front();
    }
    told.episode = episode;
    outcome.transitions.push_back(std::move(told));
}

void Engine::clear(State& state, std::string because, const Facts& facts, Outcome& outcome) {
    auto episode = *std::exchange(state.episode, std::nullopt);
    episode.cleared_at = facts.wall;
    episode.cleared_because = std::move(because);
    state.ok_since.reset();
    state.heal_runs = false;
    outcome.transitions.push_back(
        {.kind = Transition::Kind::Cleared, .episode = std::move(episode)});
}

void Engine::ask_for_repair(State& state,
                            const Facts& facts,
                            const Settings& settings,
                            Outcome& outcome) {
    const auto* cause = find_cause(*state.fault, state.episode->cause);
    const bool consented =
        cause != nullptr &&
        (cause->heal.consent == Consent::SelfHeal ||
         (cause->heal.consent == Consent::Packages && settings.install_packages));
    if (!settings.self_heal || !consented || cause->heal.action == Heal::None || state.heal_runs ||
        state.attempts_of_cause >= cause->heal.attempts) {
        return;
    }
    if (facts.now < state.next_heal) {
        sooner(outcome.again_at, state.next_heal);
        return;
    }
    state.heal_runs = true;
    const auto doubled = cause->heal.backoff * (1U << std::min(state.attempts_of_cause, 16U));
    state.next_heal = facts.now + std::min<std::chrono::milliseconds>(doubled, kLongestBackoff);
    ++state.attempts_of_cause;
    ++state.episode->heal_attempts;
    outcome.heals.push_back({.action = cause->heal.action,
                             .fault = state.fault,
                             .episode = *state.episode,
                             .attempt = state.episode->heal_attempts});
}

void Engine::remember(std::span<const Episode> history, WallTime wall, BootTime now) {
    for (const auto& episode : history) {
        const auto age = wall - episode.raised_at;
        const auto state =
            std::ranges::find(states_, episode.id, [](const State& s) { return s.fault->id; });
        if (state == states_.end() || age < WallTime::duration::zero() || age > kFlapWindow ||
            episode.flapping) {
            continue;
        }
        state->raises.push_back(now - age);
    }
    for (auto& state : states_) {
        std::ranges::sort(state.raises);
        while (state.raises.size() > kMostEpisodes) {
            state.raises.pop_front();
        }
    }
}

void Engine::heals(int id) {
    const auto found = std::ranges::find(states_, id, [](const State& s) { return s.fault->id; });
    if (found != states_.end() && found->episode) {
        found->heal_runs = true;
    }
}

void Engine::healed(int id, const std::string& result, BootTime /*now*/) {
    const auto found = std::ranges::find(states_, id, [](const State& s) { return s.fault->id; });
    if (found == states_.end()) {
        return;
    }
    found->heal_runs = false;
    found->heal_worked = result.empty();
    if (found->episode) {
        found->episode->heal_last_result = result.empty() ? "done" : result;
    }
}

std::vector<Transition> Engine::tell_again(WallTime wall) {
    std::vector<Transition> told;
    for (auto& state : states_) {
        if (state.episode) {
            state.episode->recovered = true;
            state.episode->updated_at = wall;
            told.push_back({.kind = Transition::Kind::Raised, .episode = *state.episode});
        }
    }
    return told;
}

std::vector<Episode> Engine::open() const {
    std::vector<Episode> open;
    for (const auto& state : states_) {
        if (state.episode) {
            open.push_back(*state.episode);
        }
    }
    return open;
}

std::vector<Engine::Doubt> Engine::doubts() const {
    std::vector<Doubt> doubts;
    for (const auto& state : states_) {
        if (state.doubt) {
            doubts.push_back(*state.doubt);
        }
    }
    return doubts;
}

Overall overall_state(std::span<const Episode> open,
                      std::span<const Engine::Doubt> doubts,
                      BootTime now,
                      bool self_test_passed_once) {
    constexpr int kScanServiceFailed = 7;
    constexpr int kFileMonitorFailed = 8;
    constexpr int kIncompatibleKernel = 16;
    constexpr int kSelfTestFailed = 106;
    constexpr std::chrono::seconds kDoubtCounts{30};
    const auto named = [](const Episode& episode) {
        return "fault " + std::to_string(episode.id) + ", " + episode.key + ": " + episode.cause;
    };
    for (const auto& episode : open) {
        const bool blind =
            episode.id == kScanServiceFailed || episode.id == kSelfTestFailed ||
            ((episode.id == kFileMonitorFailed || episode.id == kIncompatibleKernel) &&
             episode.severity == Severity::Critical);
        if (blind) {
            return {"unprotected", named(episode)};
        }
    }
    for (const auto& episode : open) {
        if (episode.severity >= Severity::Major) {
            return {"degraded", named(episode)};
        }
    }
    if (!self_test_passed_once) {
        return {"starting", "the first self-test has not passed yet"};
    }
    for (const auto& doubt : doubts) {
        if (now - doubt.since >= kDoubtCounts) {
            return {"unknown", "fault " + std::to_string(doubt.id) + ": " + doubt.why};
        }
    }
    return {"protected", {}};
}

}  // namespace vigia::health
