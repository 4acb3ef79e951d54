// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/connections.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace vigia::control {

bool Connections::admit(int socket, uid_t uid) {
    std::unique_lock lock(mutex_);
    const auto alive = [](const auto& item) { return !item.second.closing; };
    const auto of_user = std::ranges::count_if(
        entries_, [&](const auto& item) { return alive(item) && item.second.uid == uid; });
    const auto all = std::ranges::count_if(entries_, alive);
    const bool room = (std::cmp_less(of_user, kPerUser) || evict(false, uid)) &&
                      (std::cmp_less(all, kAll) || evict(true, uid));
    // Those shut down keep a thread until it notices, which takes moments: a second bound, so that
    // a fast opener cannot pile them up. It is waited for them, or who comes after a flood would
    // pay.
    constexpr std::chrono::milliseconds kLongest{500};
    const bool bounded =
        room && ended_.wait_for(lock, kLongest, [this] { return entries_.size() < 2 * kAll; });
    if (!bounded) {
        ++refused_;
        return false;
    }
    entries_[socket] = {.uid = uid, .idle_since = BootClock::now()};
    return true;
}

bool Connections::evict(bool any_user, uid_t uid) {
    Entry* oldest = nullptr;
    int socket = -1;
    for (auto& [fd, entry] : entries_) {
        const bool candidate = !entry.busy && !entry.closing && (any_user || entry.uid == uid);
        if (candidate && (oldest == nullptr || entry.idle_since < oldest->idle_since)) {
            oldest = &entry;
            socket = fd;
        }
    }
    if (oldest == nullptr) {
        return false;
    }
    oldest->closing = true;
    ::shutdown(socket, SHUT_RDWR);
    return true;
}

void Connections::set_busy(int socket, bool busy) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = entries_.find(socket); found != entries_.end()) {
        found->second.busy = busy;
        found->second.idle_since = BootClock::now();
    }
}

void Connections::remove(int socket) {
    {
        const std::scoped_lock lock(mutex_);
        entries_.erase(socket);
    }
    ended_.notify_one();
}

void Connections::shut_down_all() {
    const std::scoped_lock lock(mutex_);
    for (auto& [fd, entry] : entries_) {
        entry.closing = true;
        ::shutdown(fd, SHUT_RDWR);
    }
}

std::size_t Connections::count() const {
    const std::scoped_lock lock(mutex_);
    return entries_.size();
}

std::uint64_t Connections::refused() const {
    const std::scoped_lock lock(mutex_);
    return refused_;
}

}  // namespace vigia::control
