// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "health/fault.h"
#include "model/fault.h"

namespace vigia::health {

struct Transition {
    enum class Kind : std::uint8_t { Raised, Updated, Cleared, AllCleared };
    Kind kind = Kind::Raised;
    Episode episode = {};  // as it is after the transition; AllCleared: none
    std::optional<Severity> severity_before = {};  // Updated
    std::string cause_before = {};                 // Updated
};

struct HealRequest {
    Heal action = Heal::None;
    const Fault* fault = nullptr;
    Episode episode = {};
    unsigned attempt = 0;  // from 1, within the episode
};

// Turns facts into episodes. Does no input or output and reads no clock: time is Facts::now, so a
// test can live through a week in a microsecond. One thread at a time.
//
// The caller makes each transition durable together with its event, in the order given. What was
// open when the daemon ended is handed in at the start and goes on in the same episode.
class Engine {
public:
    // By fault id; what is not there has the fault's own timing.
    using Timings = std::map<int, Timing>;

    Engine(std::span<const Fault* const> catalogue, std::vector<Episode> open);

    struct Settings {
        Timings timings = {};
        bool self_heal = true;
        bool install_packages = false;
    };

    struct Outcome {
        std::vector<Transition> transitions = {};
        std::vector<HealRequest> heals = {};
        std::optional<BootTime> again_at = {};  // without news, evaluate again then
    };

    [[nodiscard]] Outcome evaluate(const Facts& facts, const Settings& settings);

    // What was raised within the last hour, before this run too: so that a fault that flaps still
    // flaps after a restart. `history` in any order; ages are those of the wall clock.
    void remember(std::span<const Episode> history, WallTime wall, BootTime now);

    // A repair begins that evaluate() has not asked for: a fault that ends meanwhile ends by it.
    void heals(int id);

    // What became of a repair that evaluate() asked for. An empty result is success.
    void healed(int id, const std::string& result, BootTime now);

    // The journal was replaced: everything that is raised is told again, `recovered`.
    [[nodiscard]] std::vector<Transition> tell_again(WallTime wall);

    // Raised, by id.
    [[nodiscard]] std::vector<Episode> open() const;

    struct Doubt {
        int id = 0;
        std::string why;
        BootTime since{};
    };

    // Wanted faults whose probe does not know.
    [[nodiscard]] std::vector<Doubt> doubts() const;

private:
    struct State {
        const Fault* fault = nullptr;
        std::optional<Episode> episode = {};
        std::optional<BootTime> failing_since = {};
        std::optional<BootTime> ok_since = {};
        std::optional<Doubt> doubt = {};
        std::deque<BootTime> raises = {};   // of the last hour
        std::deque<BootTime> updates = {};  // of the last hour
        bool heal_runs = false;
        bool heal_worked = false;
        unsigned attempts_of_cause = 0;
        BootTime next_heal{};
    };

    void look_at(State& state, const Facts& facts, const Settings& settings, Outcome& outcome);
    void on_failing(
        State& state, Finding finding, const Facts& facts, const Timing& timing, Outcome& outcome);
    void on_ok(State& state, const Facts& facts, const Timing& timing, Outcome& outcome);
    void raise(State& state, Finding finding, const Facts& facts, Outcome& outcome);
    void update(State& state, Finding finding, const Facts& facts, Outcome& outcome);
    void clear(State& state, std::string because, const Facts& facts, Outcome& outcome);
    static void ask_for_repair(State& state,
                               const Facts& facts,
                               const Settings& settings,
                               Outcome& outcome);

    std::vector<State> states_;
    bool any_open_ = false;
};

// The overall state, as docs/OPERATIONS.md defines it. Pure.
struct Overall {
    std::string state;   // protected, degraded, unprotected, unknown, starting
    std::string reason;  // one English sentence, empty when protected
};

[[nodiscard]] Overall overall_state(std::span<const Episode> open,
                                    std::span<const Engine::Doubt> doubts,
                                    BootTime now,
                                    bool self_test_passed_once);

}  // namespace vigia::health
