// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "daemon/trace.h"
#include "model/status.h"

namespace vigia::daemon {

// Writes a canary into a watched file system and demands its detection through the whole chain:
// kernel event → queue → worker → verdict → journal. The file has no name (O_TMPFILE) where the
// file system can do that, so nobody's folder shows it. One at a time. Blocking.
class SelfTest {
public:
    struct Parts {
        Trace& trace;
        std::function<std::vector<std::string>()> places;  // a watched folder per file system
        std::function<WallTime()> now;
        std::chrono::milliseconds deadline{10'000};
    };

    explicit SelfTest(Parts parts) : parts_(std::move(parts)) {}

    // On the next place in turn.
    SelfTestReport run();

    [[nodiscard]] std::optional<SelfTestReport> last() const;

private:
    SelfTestReport run_at(const std::string& place);

    Parts parts_;
    std::mutex running_;
    mutable std::mutex mutex_;  // guards last_ and turn_
    std::optional<SelfTestReport> last_;
    std::size_t turn_ = 0;
};

}  // namespace vigia::daemon
