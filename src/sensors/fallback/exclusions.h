// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <vector>

#include "model/process.h"
#include "sensors/ebpf/kernel_sensor.h"

namespace vigia::sensors {

// Which of the running processes are to be left out, by the same rules as the kernel side has: who
// runs an excluded program, and what it started if the rule says so, also after its parent has
// ended. A value; not thread-safe.
class Exclusions {
public:
    using Program = KernelSensor::ProgramExclusion;

    // What was excluded by the programs before is not any more.
    void set(std::vector<Program> programs);

    [[nodiscard]] bool any() const { return !programs_.empty(); }

    // All there are now, by number.
    void update(const std::map<pid_t, ProcessInfo>& running);

    [[nodiscard]] bool contains(const ProcessKey& key) const;

private:
    struct Held {
        ProcessKey key;
        bool children = false;
    };

    using Table = std::map<pid_t, Held>;

    void judge(const ProcessInfo& process,
               const std::map<pid_t, ProcessInfo>& running,
               Table& judged,
               std::map<pid_t, bool>& seen) const;

    std::vector<Program> programs_;
    Table held_;
};

}  // namespace vigia::sensors
