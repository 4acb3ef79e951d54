// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/ring_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
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

void RingReader::RingsDeleter::operator()(ring_buffer* rings) const noexcept {
    ring_buffer__free(rings);
}

// The layout of a ring-buffer map (include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c): one page with
// the reader's position, one with the writer's, both read-only for whom does not read.
Result<RingReader::Gauge> RingReader::Gauge::open(int ring) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    bpf_map_info info{};
    std::uint32_t length = sizeof info;
    if (bpf_obj_get_info_by_fd(ring, &info, &length) != 0) {
        return fail_errno("size of a ring");
    }
    Gauge gauge;
    gauge.size_ = info.max_entries;
    for (const auto& [at, into] :
         {std::pair{std::size_t{0}, &gauge.consumed_}, std::pair{page, &gauge.produced_}}) {
        void* mapped = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, ring, static_cast<off_t>(at));
        if (mapped == MAP_FAILED) {
            return fail_errno("map the positions of a ring");
        }
        *into = static_cast<const unsigned long*>(mapped);
    }
    return gauge;
}

RingReader::Gauge::Gauge(Gauge&& other) noexcept
    : consumed_(std::exchange(other.consumed_, nullptr)),
      produced_(std::exchange(other.produced_, nullptr)),
      size_(other.size_) {}

RingReader::Gauge::~Gauge() {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    for (const auto* mapped : {consumed_, produced_}) {
        if (mapped != nullptr) {
            ::munmap(const_cast<unsigned long*>(mapped), page);  // NOLINT(*-const-cast): of munmap
        }
    }
}

double RingReader::Gauge::fill() const {
    // The reader's first: it may only grow until the other is read, which makes it look fuller.
    const auto consumed = __atomic_load_n(consumed_, __ATOMIC_ACQUIRE);
    const auto produced = __atomic_load_n(produced_, __ATOMIC_ACQUIRE);
    return std::min(1.0, static_cast<double>(produced - consumed) / static_cast<double>(size_));
}

void RingReader::note_fill() {
    for (const auto& gauge : gauges_) {
        const double fill = gauge.fill();
        double known = peak_;
        while (fill > known && !peak_.compare_exchange_weak(known, fill)) {
        }
    }
}

double RingReader::take_peak() {
    note_fill();
    return peak_.exchange(0);
}

Result<std::unique_ptr<RingReader>> RingReader::start(std::span<const int> rings,
                                                      Calls calls,
                                                      Pace pace) {
    std::unique_ptr<RingReader> reader(new RingReader(std::move(calls), pace));
    reader->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    reader->events_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!reader->wake_ || !reader->events_) {
        return fail_errno("eventfd");
    }
    epoll_event wake{.events = EPOLLIN, .data = {.fd = reader->wake_.get()}};
    if (::epoll_ctl(reader->events_.get(), EPOLL_CTL_ADD, reader->wake_.get(), &wake) != 0) {
        return fail_errno("epoll");
    }
    reader->watched_.assign(rings.begin(), rings.end());
    for (const int ring : rings) {
        if (!reader->rings_) {
            reader->rings_.reset(ring_buffer__new(ring, on_sample, reader.get(), nullptr));
        } else if (ring_buffer__add(reader->rings_.get(), ring, on_sample, reader.get()) != 0) {
            return fail_errno("map a ring");
        }
        if (!reader->rings_) {
            return fail_errno("map a ring");
        }
        reader->gauges_.push_back(TRY(Gauge::open(ring)));
    }
    if (!reader->watch_rings(EPOLL_CTL_ADD)) {
        return fail_errno("watch a ring");
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
    constexpr unsigned kSamplesPerLook = 1024;  // a storm may keep one turn of reading busy
    auto* reader = static_cast<RingReader*>(self);
    if (++reader->samples_ % kSamplesPerLook == 0) {
        reader->note_fill();
    }
    reader->calls_.on_record(std::span(static_cast<const std::byte*>(data), size));
    return reader->stopping_ ? -EINTR : 0;  // so that a flood cannot hold up the end
}

// By edges: a ring that holds something wakes us again only when the kernel side says that it is
// time to. Watching it anew looks into it once: nothing that came in between is slept over.
bool RingReader::watch_rings(int operation) const {
    return std::ranges::all_of(watched_, [&](int ring) {
        epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = ring}};
        return ::epoll_ctl(events_.get(), operation, ring, &event) == 0;
    });
}

// False: the time is over.
bool RingReader::wait(std::chrono::milliseconds patience) const {
    std::array<epoll_event, 4> events{};
    const int most = static_cast<int>(std::max<std::int64_t>(0, patience.count()));
    return ::epoll_wait(events_.get(), events.data(), events.size(), most) > 0;
}

void RingReader::run() {
    auto next_tick = Clock::boot() + pace_.tick;
    while (!stopping_) {
        std::uint64_t asked = 0;
        const auto asked_now = [&] {
            const std::scoped_lock lock(mutex_);
            return asked_ != done_ || stopping_;
        };
        (void)watch_rings(EPOLL_CTL_MOD);
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_tick - Clock::boot());
        if (wait(left) && pace_.gather.count() > 0 && !asked_now()) {
            (void)wait(pace_.gather);
        }
        eventfd_t ignored = 0;
        ::eventfd_read(wake_.get(), &ignored);
        {
            const std::scoped_lock lock(mutex_);
            asked = asked_;
        }
        note_fill();
        ring_buffer__consume(rings_.get());
        calls_.on_batch_end();
        {
            const std::scoped_lock lock(mutex_);
            done_ = asked;
        }
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
