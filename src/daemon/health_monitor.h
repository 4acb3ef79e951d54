// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/policy_store.h"
#include "daemon/reporter.h"
#include "health/engine.h"
#include "model/facts.h"

namespace vigia::daemon {

// Runs the fault engine: gathers facts when somebody says that something changed (and once in a
// while), makes each transition durable together with its event, has repairs done. Two threads of
// its own: one evaluates, one repairs, because a repair may take seconds and a fault must not wait
// for another one's repair.
class HealthMonitor {
public:
    struct Parts {
        Reporter& reporter;
        const PolicyStore& policies;
        std::function<void(Facts&)> collect;  // evaluating thread; must not wait for foreign files
        // Repairing thread; an empty text is success, else what went wrong.
        std::function<std::string(health::Heal, const Episode&)> repair;
    };

    explicit HealthMonitor(Parts parts);
    HealthMonitor(const HealthMonitor&) = delete;
    HealthMonitor& operator=(const HealthMonitor&) = delete;
    ~HealthMonitor();

    // Goes on with the episodes that the journal holds open.
    void start();

    // For good; waits for what is under way. Before that, `collect` may ask for the view.
    void stop();

    // Something may have changed. Any thread; returns at once.
    void poke();

    struct View {
        std::vector<Episode> open = {};
        health::Overall overall = {};
        std::vector<health::Engine::Doubt> doubts = {};
    };

    [[nodiscard]] View view() const;

    struct Repair {
        int fault = 0;
        health::Heal action = health::Heal::None;
        std::string result;  // empty: done
    };

    // `vigia faults fix`: the same repair as the automatic one, now. Waits for it, at most a
    // minute. ENOENT: the fault is not raised; ENOTSUP: its cause has no repair.
    Result<Repair> fix(int id);

private:
    struct Job {
        health::HealRequest request;
        bool by_hand = false;
        std::shared_ptr<std::optional<std::string>> answer = {};
    };

    void evaluate_forever(const std::stop_token& stop);
    void repair_forever(const std::stop_token& stop);
    std::optional<BootTime> evaluate();
    void restore();
    void commit(const std::vector<health::Transition>& transitions, const std::string& epoch);
    void remember();
    void tell_repair(const Job& job, const std::string& result);
    void publish(const Facts& facts);
    [[nodiscard]] health::Engine::Settings settings() const;

    Parts parts_;
    std::mutex engine_mutex_;  // guards engine_ and epoch_
    std::optional<health::Engine> engine_;
    std::string epoch_;
    std::string told_;               // the epoch in which everything that is raised has been told
    bool self_test_passed_ = false;  // only the evaluating thread's
    BootTime started_;

    std::mutex wake_mutex_;  // guards poked_
    std::condition_variable_any wake_;
    bool poked_ = true;

    mutable std::mutex view_mutex_;  // guards view_
    View view_;

    std::mutex jobs_mutex_;  // guards jobs_ and the answers
    std::condition_variable_any jobs_changed_;
    std::deque<Job> jobs_;

    std::jthread evaluator_;
    std::jthread repairer_;
};

}  // namespace vigia::daemon
