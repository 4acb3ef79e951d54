// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/clock.h"

namespace vigia::control {

// Who is connected. A user at the limit costs *himself* his longest idle connection, not the next
// caller an answer: a thousand silent clients of root do not lock root out. Thread-safe.
class Connections {
public:
    static constexpr std::size_t kPerUser = 32;
    static constexpr std::size_t kAll = 128;

    // A connection just accepted. Makes room by shutting down the longest idle one of this user (of
    // anybody, when all places are taken), and waits up to half a second for those shut down
    // before; false when everything there is busy.
    [[nodiscard]] bool admit(int socket, uid_t uid);

    // A request of it is being answered; it is not shut down meanwhile.
    void set_busy(int socket, bool busy);

    void remove(int socket);

    // Ends all, so that threads waiting for them return.
    void shut_down_all();

    [[nodiscard]] std::size_t count() const;
    [[nodiscard]] std::uint64_t refused() const;

private:
    struct Entry {
        uid_t uid = 0;
        bool busy = false;
        bool closing = false;
        BootTime idle_since{};
    };

    bool evict(bool any_user, uid_t uid);

    mutable std::mutex mutex_;  // guards all below
    std::condition_variable ended_;
    std::map<int, Entry> entries_;
    std::uint64_t refused_ = 0;
};

}  // namespace vigia::control
