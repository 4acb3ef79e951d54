// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/ring_reader.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/clock.h"

namespace vigia::sensors {

void RingReader::note_fill() {
    const double fill = source_->fill();
    double known = peak_;
    while (fill > known && !peak_.compare_exchange_weak(known, fill)) {
    }
}

double RingReader::take_peak() {
    note_fill();
    return peak_.exchange(0);
}

Result<std::unique_ptr<RingReader>> RingReader::start(std::unique_ptr<RecordSource> source,
                                                      Calls calls,
                                                      Pace pace) {
    std::unique_ptr<RingReader> reader(new RingReader(std::move(source), std::move(calls), pace));
    reader->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    reader->events_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!reader->wake_ || !reader->events_) {
        return fail_errno("eventfd");
    }
    epoll_event wake{.events = EPOLLIN, .data = {.fd = reader->wake_.get()}};
    if (::epoll_ctl(reader->events_.get(), EPOLL_CTL_ADD, reader->wake_.get(), &wake) != 0) {
        return fail_errno("epoll");
    }
    if (!reader->watch_source(EPOLL_CTL_ADD)) {
        return fail_errno("watch the kernel's records");
    }
    reader->thread_ = std::thread([raw = reader.get()] { raw->run(); });
    ::pthread_setname_np(reader->thread_.native_handle(), "vigia-kernel");
    return reader;
}

RingReader::~RingReader() {
    stopping_ = true;
    ::eventfd_write(wake_.get(), 1);
    if (thread_.joinable()) {
        thread_.join();
    }
}

// By edges: a ring that holds something wakes us again only when the kernel side says that it is
// time to. Watching it anew looks into it once: nothing that came in between is slept over.
bool RingReader::watch_source(int operation) const {
    return std::ranges::all_of(source_->descriptors(), [&](int descriptor) {
        epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = descriptor}};
        return ::epoll_ctl(events_.get(), operation, descriptor, &event) == 0;
    });
}

// False: the time is over.
bool RingReader::wait(std::chrono::milliseconds patience) const {
    std::array<epoll_event, 4> events{};
    const int most = static_cast<int>(std::max<std::int64_t>(0, patience.count()));
    return ::epoll_wait(events_.get(), events.data(), events.size(), most) > 0;
}

void RingReader::gather() const {
    if (!source_->wakes_for_each()) {
        (void)wait(pace_.gather);
        return;
    }
    pollfd asked{.fd = wake_.get(), .events = POLLIN, .revents = 0};
    const auto most = std::min(pace_.gather, kPerfGather);
    (void)::poll(&asked, 1, static_cast<int>(most.count()));
}

// False: something was held back.
bool RingReader::read(bool all) {
    constexpr unsigned kRecordsPerLook = 1024;  // a storm may keep one turn of reading busy
    const auto take = [this](std::span<const std::byte> record) {
        if (++records_ % kRecordsPerLook == 0) {
            note_fill();
        }
        calls_.on_record(record);
        return !stopping_;  // so that a flood cannot hold up the end
    };
    bool complete = source_->read(take);
    if (!complete && all) {
        complete = source_->read(take);  // it was from the moment of reading
    }
    calls_.on_batch_end();
    return complete;
}

void RingReader::run() {
    auto next_tick = Clock::boot() + pace_.tick;
    std::uint64_t done_by_us = 0;  // as done_
    bool complete = true;
    while (!stopping_) {
        std::uint64_t asked = 0;
        const auto asked_now = [&] {
            const std::scoped_lock lock(mutex_);
            return asked_ != done_ || stopping_;
        };
        if (source_->can_be_watched_anew()) {
            (void)watch_source(EPOLL_CTL_MOD);
        }
        const auto due = std::chrono::ceil<std::chrono::milliseconds>(next_tick - Clock::boot());
        const auto left = complete ? due : std::chrono::milliseconds{1};
        if (wait(left) && pace_.gather.count() > 0 && !asked_now()) {
            gather();
        }
        eventfd_t ignored = 0;
        ::eventfd_read(wake_.get(), &ignored);
        {
            const std::scoped_lock lock(mutex_);
            asked = asked_;
        }
        note_fill();
        complete = read(asked != done_by_us);
        {
            const std::scoped_lock lock(mutex_);
            done_ = asked;
        }
        done_by_us = asked;
        drained_.notify_all();
        if (Clock::boot() >= next_tick) {
            calls_.on_tick();
            next_tick = Clock::boot() + pace_.tick;
        }
    }
}

Result<> RingReader::drain(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    const auto mine = ++asked_;
    ::eventfd_write(wake_.get(), 1);
    if (!drained_.wait_for(lock, timeout, [&] { return done_ >= mine; })) {
        return fail(std::errc::timed_out, "drain the kernel's rings");
    }
    return {};
}

}  // namespace vigia::sensors
