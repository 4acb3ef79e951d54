// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"

namespace vigia::daemon {

// Names of users for events, from /etc/passwd alone: what asks the network for a name may wait, and
// must not hold up events. Read again when it changes, looked at once a second. Thread-safe.
class UserNames {
public:
    // Empty: not known.
    [[nodiscard]] std::string name_of(unsigned uid);
    [[nodiscard]] std::optional<unsigned> uid_of(const std::string& name);

private:
    void look();
    void read_again();

    std::mutex mutex_;  // guards all below
    BootTime looked_at_{};
    timespec modified_{};
    std::map<unsigned, std::string> names_;
};

}  // namespace vigia::daemon
