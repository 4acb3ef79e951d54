// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "daemon/policy_store.h"
#include "model/activity.h"

namespace vigia::daemon {

// Is a file event the doing of a program that policy leaves out? A process number says who it was
// only if it is certain that it was that program already when the event happened: otherwise whoever
// writes a file and becomes an excluded program before we look would be left out. So a process is
// looked at before (when it was first met) and after (when the event was read), was the same
// program both times, and the event happened in between (FileActivity::after). Whoever is not met
// often or long enough for that is not left out: the first files of a process, and those of
// processes that have ended by the time we look. Thread-safe; looks into /proc only.
class Writers {
public:
    struct Process {
        std::uint64_t start_ns = 0;
        std::string path = {};
        unsigned uid = 0;
        pid_t parent = 0;

        bool operator==(const Process&) const = default;
    };

    struct Hooks {
        std::function<std::optional<Process>(pid_t)> look;
        std::function<std::string(unsigned)> user_name;
        std::function<BootTime()> now = Clock::boot;
    };

    explicit Writers(Hooks hooks) : hooks_(std::move(hooks)) {}

    [[nodiscard]] policy::ExclusionMatch excluded(const FileActivity& activity,
                                                  const PolicyPtr& policy,
                                                  WallTime now);

private:
    struct Known {
        Process process;
        BootTime since{};      // the same program from then on
        BootTime looked_at{};  // until then
        policy::ExclusionMatch match = {};
    };

    void forget_other_policy(const PolicyPtr& policy);
    [[nodiscard]] policy::ExclusionMatch match_of(const Process& process,
                                                  const PolicyInForce& policy,
                                                  WallTime now) const;

    const Hooks hooks_;
    std::mutex mutex_;  // guards all below
    std::unordered_map<pid_t, Known> known_;
    PolicyPtr policy_;  // that the matches are of
};

}  // namespace vigia::daemon
