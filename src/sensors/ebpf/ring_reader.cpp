// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/ring_reader.h"

#include <bpf/libbpf.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/clock.h"

namespace vigia::sensors {

void RingReader::RingsDeleter::operator()(ring_buffer* rings) const noexcept {
    ring_buffer__free(rings);
}

RingReader::RingReader(OnRecord on_record,
                       std::function<void()> on_tick,
                       std::chrono::milliseconds period)
    : on_record_(std::move(on_record)), on_tick_(std::move(on_tick)), period_(period) {}

Result<std::unique_ptr<RingReader>> RingReader::start(std::span<const int> rings,
                                                      OnRecord on_record,
                                                      std::function<void()> on_tick,
                                                      std::chrono::milliseconds period) {
    std::unique_ptr<RingReader> reader(
        new RingReader(std::move(on_record), std::move(on_tick), period));
    reader->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!reader->wake_) {
        return fail_errno("eventfd");
    }
    for (const int ring : rings) {
        if (!reader->rings_) {
            reader->rings_.reset(ring_buffer__new(ring, on_sample, reader.get(), nullptr));
        } else if (ring_buffer__add(reader->rings_.get(), ring, on_sample, reader.get()) != 0) {
            return fail_errno("map a ring");
        }
        if (!reader->rings_) {
            return fail_errno("map a ring");
        }
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

int RingReader::on_sample(void* self, void* data, std::size_t size) {
    auto* reader = static_cast<RingReader*>(self);
    reader->on_record_(std::span(static_cast<const std::byte*>(data), size));
    return reader->stopping_ ? -EINTR : 0;  // so that a flood cannot hold up the end
}

void RingReader::run() {
    const int events = ring_buffer__epoll_fd(rings_.get());
    auto next_tick = Clock::boot() + period_;
    while (!stopping_) {
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next_tick - Clock::boot());
        std::array<pollfd, 2> polled{pollfd{.fd = events, .events = POLLIN, .revents = 0},
                                     pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
        ::poll(polled.data(), polled.size(), std::max(0, static_cast<int>(wait.count())));
        std::uint64_t asked = 0;
        {
            const std::scoped_lock lock(mutex_);
            asked = asked_;
        }
        eventfd_t ignored = 0;
        ::eventfd_read(wake_.get(), &ignored);
        ring_buffer__consume(rings_.get());
        {
            const std::scoped_lock lock(mutex_);
            done_ = asked;
        }
        drained_.notify_all();
        if (Clock::boot() >= next_tick) {
            on_tick_();
            next_tick = Clock::boot() + period_;
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
