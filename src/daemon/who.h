// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "daemon/command_lines.h"
#include "daemon/user_names.h"
#include "model/activity_event.h"
#include "model/process.h"
#include "process_tree/process_tree.h"

namespace vigia::daemon {

// Says who did something, as an event tells it: from the memory of processes, from /proc where that
// does not know it (the sensor is off, or the process is excluded). Thread-safe.
class Who {
public:
    explicit Who(const process_tree::ProcessTree& tree);

    // A new policy: which command lines may be told.
    void set_policy(const Policy::Processes& policy);

    [[nodiscard]] ProcessLine line_of(const ProcessInfo& process);

    // The owner of a flow; with as little as the flow itself says, if nothing else knows it.
    [[nodiscard]] ProcessLine line_of(const ProcessOwner& owner);

    // Whose doing something was that was heard of at `at`. Nothing: nobody knows.
    [[nodiscard]] std::optional<ProcessLine> line_at(pid_t pid, BootTime at);

    // Of this machine's own accounts.
    [[nodiscard]] std::optional<unsigned> uid_of(const std::string& user) {
        return users_.uid_of(user);
    }

    [[nodiscard]] std::string name_of(unsigned uid) { return users_.name_of(uid); }

private:
    [[nodiscard]] ProcessFacts facts_of(const ProcessInfo& process);

    const process_tree::ProcessTree& tree_;
    UserNames users_;
    std::mutex mutex_;  // guards lines_
    std::shared_ptr<const CommandLines> lines_;
};

// The moment of the wall clock; that clock may have been set since.
[[nodiscard]] WallTime wall_time(BootTime at);

}  // namespace vigia::daemon
