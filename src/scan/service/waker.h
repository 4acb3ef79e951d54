// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::scan::detail {

// Ends the poll() of the thread that watches fd(). wake() may be called from any thread.
class Waker {
public:
    [[nodiscard]] static Result<Waker> create() {
        UniqueFd fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        if (!fd) {
            return fail_errno("make eventfd");
        }
        return Waker(std::move(fd));
    }

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    void wake() const noexcept { (void)::eventfd_write(fd_.get(), 1); }

    void drain() const noexcept {
        std::uint64_t count = 0;
        (void)::eventfd_read(fd_.get(), &count);
    }

private:
    explicit Waker(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

// poll() until something is ready or the time has come.
inline void poll_until(std::vector<pollfd>& watched, BootTime until) {
    int timeout = -1;
    if (until != BootTime::max()) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - BootClock::now()).count();
        timeout = static_cast<int>(std::clamp<long>(left, 0, INT_MAX));
    }
    ::poll(watched.data(), watched.size(), timeout);
}

// For the first line of a private thread: named, and signals stay the loop thread's business.
inline void settle_thread(const char* name) {
    sigset_t all{};
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), name);
}

// How long to leave alone what has just failed: doubled each time, to 60 s.
class Backoff {
public:
    explicit Backoff(std::chrono::milliseconds first) noexcept : first_(first), next_(first) {}

    [[nodiscard]] std::chrono::milliseconds take() noexcept {
        constexpr std::chrono::milliseconds kMost{60'000};
        return std::exchange(next_, std::min(next_ * 2, kMost));
    }

    void reset() noexcept { next_ = first_; }

private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds next_;
};

}  // namespace vigia::scan::detail
