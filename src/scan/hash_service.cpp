// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/hash_service.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <expected>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "scan/service/child.h"
#include "scan/service/exchange.h"
#include "scan/service/gate.h"
#include "scan/service/process_facts.h"
#include "scan/service/waker.h"

namespace vigia::scan {
namespace {

using detail::Break;
using detail::BreakKind;
using std::chrono::milliseconds;

constexpr unsigned kMostChildren = 16;
constexpr const char* kUser = "vigia-scan";
constexpr milliseconds kFirstBackoff{50};
// Children that were killed and do not die (stuck in a file system): no more are added to them.
constexpr std::size_t kMostDying = 16;
constexpr milliseconds kWaitForDying{1000};

// A place for one child. Who marks it Busy alone uses its child until it is Ready or Broken again.
struct Seat {
    enum class Use : std::uint8_t { Empty, Ready, Busy, Broken };
    Use use = Use::Empty;
    std::unique_ptr<detail::Child> child = {};
    detail::Backoff backoff{kFirstBackoff};
    BootTime start_at{};
};

class Service final : public HashService {
public:
    Service(std::filesystem::path program, unsigned children, detail::Waker waker)
        : program_(std::move(program)), waker_(std::move(waker)), seats_(children) {}

    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service() override;

    // Returns once every child has been started, or one could not be.
    [[nodiscard]] Result<> begin();

    [[nodiscard]] Result<Digest> hash(int file, milliseconds timeout) override;

private:
    // ---- callers
    [[nodiscard]] Seat* take_seat(BootTime deadline);
    [[nodiscard]] std::expected<Result<Digest>, Break> attempt(Seat& seat,
                                                               int file,
                                                               milliseconds timeout);
    void leave(Seat& seat, bool broken);

    // ---- the keeper's thread
    void keep(std::promise<Result<>> started);
    [[nodiscard]] Result<> start_in(Seat& seat);
    void renew(BootTime now);
    void wait();

    const std::filesystem::path program_;
    const detail::Waker waker_;
    detail::Gate gate_;
    std::atomic<bool> stopping_ = false;

    std::mutex mutex_;  // guards what follows, but the child of a busy seat
    std::condition_variable changed_;
    std::vector<Seat> seats_;
    std::size_t next_seat_ = 0;      // round robin
    std::list<const int*> waiting_;  // first come, first served

    std::vector<Subprocess> dying_;  // the keeper's own
    std::thread keeper_;
};

Result<> Service::begin() {
    std::promise<Result<>> started;
    auto answer = started.get_future();
    try {
        keeper_ = std::thread(
            [this, promise = std::move(started)]() mutable { keep(std::move(promise)); });
    } catch (const std::system_error& error) {
        return std::unexpected(Error{.code = error.code(), .context = "start keeper's thread"});
    }
    return answer.get();
}

Service::~Service() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    waker_.wake();
    if (keeper_.joinable()) {
        keeper_.join();
    }
    gate_.wait_until_empty();
}

Result<> Service::start_in(Seat& seat) {
    auto child = TRY(detail::start_child(program_, kUser));
    seat.child = std::make_unique<detail::Child>(std::move(child));
    const std::scoped_lock lock(mutex_);
    seat.use = Seat::Use::Ready;
    changed_.notify_all();
    return {};
}

void Service::keep(std::promise<Result<>> started) {
    detail::settle_thread("hash-keeper");
    Result<> begun;
    for (auto& seat : seats_) {
        if (begun) {
            begun = start_in(seat);
        }
    }
    stopping_ = stopping_ || !begun;
    started.set_value(std::move(begun));
    while (!stopping_) {
        wait();
        waker_.drain();
        renew(BootClock::now());
    }
    // A caller that still waits for one of them sees it die.
    for (auto& seat : seats_) {
        if (seat.child) {
            seat.child->process.kill(SIGKILL);
        }
    }
}

// Seats whose child has ended or was given up get a new one, when its time has come.
void Service::renew(BootTime now) {
    std::erase_if(dying_, [](const Subprocess& child) { return detail::has_ended(child.pidfd()); });
    for (auto& seat : seats_) {
        std::unique_lock lock(mutex_);
        if (seat.use == Seat::Use::Ready && detail::has_ended(seat.child->process.pidfd())) {
            seat.use = Seat::Use::Broken;
        }
        if (seat.use == Seat::Use::Broken) {
            seat.child->process.kill(SIGKILL);
            dying_.push_back(std::move(seat.child->process));
            seat.child.reset();
            seat.use = Seat::Use::Empty;
            seat.start_at = now + seat.backoff.take();
        }
        if (seat.use != Seat::Use::Empty || now < seat.start_at) {
            continue;
        }
        lock.unlock();
        if (dying_.size() >= kMostDying) {
            seat.start_at = now + kWaitForDying;
        } else if (!start_in(seat)) {
            seat.start_at = now + seat.backoff.take();
        }
    }
}

void Service::wait() {
    std::vector<pollfd> watched{{.fd = waker_.fd(), .events = POLLIN, .revents = 0}};
    auto next = BootTime::max();
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& seat : seats_) {
            if (seat.use == Seat::Use::Ready) {
                watched.push_back(
                    {.fd = seat.child->process.pidfd(), .events = POLLIN, .revents = 0});
            } else if (seat.use == Seat::Use::Empty) {
                next = std::min(next, seat.start_at);
            }
        }
    }
    for (const auto& child : dying_) {
        watched.push_back({.fd = child.pidfd(), .events = POLLIN, .revents = 0});
    }
    detail::poll_until(watched, next);
}

Seat* Service::take_seat(BootTime deadline) {
    std::unique_lock lock(mutex_);
    const int ticket = 0;
    waiting_.push_back(&ticket);
    Seat* taken = nullptr;
    const auto try_take = [&] {
        if (stopping_ || waiting_.front() != &ticket) {
            return stopping_.load();
        }
        for (std::size_t i = 0; i < seats_.size() && taken == nullptr; ++i) {
            Seat& seat = seats_[next_seat_++ % seats_.size()];
            taken = seat.use == Seat::Use::Ready ? &seat : nullptr;
        }
        return taken != nullptr;
    };
    changed_.wait_until(lock, deadline, try_take);
    if (taken != nullptr) {
        taken->use = Seat::Use::Busy;
    }
    waiting_.remove(&ticket);
    changed_.notify_all();  // whoever is first now
    return taken;
}

void Service::leave(Seat& seat, bool broken) {
    const std::scoped_lock lock(mutex_);
    seat.use = broken ? Seat::Use::Broken : Seat::Use::Ready;
    changed_.notify_all();
    if (broken) {
        seat.child->process.kill(SIGKILL);
        waker_.wake();
    } else {
        seat.backoff.reset();
    }
}

// The child's own answer may be an error (the file could not be read): that is not a Break.
std::expected<Result<HashService::Digest>, Break> Service::attempt(Seat& seat,
                                                                   int file,
                                                                   milliseconds timeout) {
    const auto id = detail::fresh_id();
    const auto answer =
        detail::ask({.socket = seat.child->socket.get(), .pidfd = seat.child->process.pidfd()},
                    wire::encode(wire::HashFile{.id = id}),
                    file,
                    timeout);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    const auto done = detail::read_hash_done(*answer, id);
    if (!done) {
        return std::unexpected(
            Break{.kind = BreakKind::Hostile, .delivered = true, .how = done.error()});
    }
    if (done->error != 0) {
        return Result<Digest>(std::unexpected(Error{.code = {done->error, std::system_category()},
                                                    .context = "read the file to hash"}));
    }
    return Result<Digest>(Digest{.sha256 = done->sha256, .size = done->size});
}

Result<HashService::Digest> Service::hash(int file, milliseconds timeout) {
    const detail::Gate::Pass inside(gate_);
    const auto deadline = BootClock::now() + timeout;
    constexpr int kAttempts = 2;
    std::string how;
    for (int i = 0; i < kAttempts; ++i) {
        Seat* const seat = take_seat(deadline);
        if (seat == nullptr) {
            return fail(std::errc::timed_out, "wait for a free vigia-hash" + how);
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - BootClock::now());
        auto outcome = attempt(*seat, file, std::max(left, milliseconds{0}));
        const auto kind = outcome ? BreakKind::Local : outcome.error().kind;
        leave(*seat, kind != BreakKind::Local);
        if (outcome) {
            return *std::move(outcome);
        }
        if (kind == BreakKind::Late) {
            return fail(std::errc::timed_out,
                        "vigia-hash was killed: no answer within " + to_text(timeout));
        }
        if (kind == BreakKind::Local) {
            return fail(std::errc::bad_file_descriptor, outcome.error().how);
        }
        how = fmt::format(" (one {})", kind == BreakKind::Ended ? "ended" : outcome.error().how);
    }
    return fail(std::errc::io_error, "two vigia-hash children did not survive the file" + how);
}

}  // namespace

Result<std::unique_ptr<HashService>> HashService::start(std::filesystem::path program,
                                                        unsigned children) {
    if (children < 1 || children > kMostChildren) {
        return fail(std::errc::invalid_argument,
                    fmt::format("start {} vigia-hash children", children));
    }
    auto waker = TRY(detail::Waker::create(), "start vigia-hash");
    auto service = std::make_unique<Service>(std::move(program), children, std::move(waker));
    TRY(service->begin(), "start vigia-hash");
    return service;
}

}  // namespace vigia::scan
