// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>

#include <csignal>
#include <deque>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace vigia {
namespace {

constexpr std::size_t kMaxPosted = 65536;

std::unexpected<Error> fail_sd(int negative_errno, std::string doing) {
    return std::unexpected(
        Error{.code = {-negative_errno, std::system_category()}, .context = std::move(doing)});
}

std::uint64_t boot_microseconds(std::chrono::milliseconds from_now) {
    const auto due = BootClock::now().time_since_epoch() + from_now;
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(due).count());
}

}  // namespace

struct EventLoop::Source::Impl {
    sd_event_source* source = nullptr;
    std::function<void(std::uint32_t)> on_io;
    std::function<void()> on_fire;
    std::chrono::milliseconds interval{};  // zero: once

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() {
        if (source != nullptr) {
            ::sd_event_source_set_enabled(source, SD_EVENT_OFF);
            ::sd_event_source_unref(source);
        }
    }

    static int io(sd_event_source* /*source*/, int /*fd*/, std::uint32_t events, void* self) {
        // A copy, because the callback may destroy its own source.
        const auto callback = static_cast<Impl*>(self)->on_io;
        callback(events);
        return 0;
    }

    static int timer(sd_event_source* source, std::uint64_t /*due*/, void* self) {
        auto* impl = static_cast<Impl*>(self);
        if (impl->interval.count() > 0) {
            // From now, not from when it was due: after a suspend there is one call, not thousands.
            ::sd_event_source_set_time(source, boot_microseconds(impl->interval));
            ::sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        const auto callback = impl->on_fire;
        callback();
        return 0;
    }

    static int signal(sd_event_source* /*source*/, const signalfd_siginfo* /*info*/, void* self) {
        const auto callback = static_cast<Impl*>(self)->on_fire;
        callback();
        return 0;
    }
};

EventLoop::Source::Source(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

EventLoop::Source::~Source() = default;

struct EventLoop::Impl {
    sd_event* event = nullptr;
    UniqueFd wake;
    SourcePtr wake_source;
    std::mutex mutex;  // guards posted and stopped
    std::deque<std::function<void()>> posted;
    bool stopped = false;

    void run_posted() {
        std::uint64_t ignored = 0;
        (void)!::read(wake.get(), &ignored, sizeof ignored);
        std::deque<std::function<void()>> tasks;
        {
            const std::scoped_lock lock(mutex);
            tasks.swap(posted);
        }
        for (const auto& task : tasks) {
            task();
        }
    }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}

EventLoop::~EventLoop() {
    impl_->wake_source.reset();
    ::sd_event_unref(impl_->event);
}

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    auto loop = std::unique_ptr<EventLoop>(new EventLoop());
    if (const int error = ::sd_event_new(&loop->impl_->event); error < 0) {
        return fail_sd(error, "create event loop");
    }
    loop->impl_->wake = UniqueFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!loop->impl_->wake) {
        return fail_errno("create eventfd");
    }
    auto* impl = loop->impl_.get();
    impl->wake_source = TRY(loop->on_io(
        impl->wake.get(), EPOLLIN, [impl](std::uint32_t /*events*/) { impl->run_posted(); }));
    return loop;
}

Result<EventLoop::SourcePtr> EventLoop::on_io(int fd,
                                              std::uint32_t events,
                                              std::function<void(std::uint32_t)> callback) {
    auto impl = std::make_unique<Source::Impl>();
    impl->on_io = std::move(callback);
    const int error =
        ::sd_event_add_io(impl_->event, &impl->source, fd, events, &Source::Impl::io, impl.get());
    if (error < 0) {
        return fail_sd(error, "watch descriptor");
    }
    return SourcePtr(new Source(std::move(impl)));
}

Result<EventLoop::SourcePtr> EventLoop::every(std::chrono::milliseconds interval,
                                              std::function<void()> callback) {
    auto source = TRY(after(interval, std::move(callback)));
    source->impl_->interval = interval;
    return source;
}

Result<EventLoop::SourcePtr> EventLoop::after(std::chrono::milliseconds delay,
                                              std::function<void()> callback) {
    constexpr std::uint64_t kAccuracyMicroseconds = 1000;
    auto impl = std::make_unique<Source::Impl>();
    impl->on_fire = std::move(callback);
    const int error = ::sd_event_add_time(impl_->event,
                                          &impl->source,
                                          CLOCK_BOOTTIME,
                                          boot_microseconds(delay),
                                          kAccuracyMicroseconds,
                                          &Source::Impl::timer,
                                          impl.get());
    if (error < 0) {
        return fail_sd(error, "start timer");
    }
    return SourcePtr(new Source(std::move(impl)));
}

Result<EventLoop::SourcePtr> EventLoop::on_signal(int signal, std::function<void()> callback) {
    sigset_t set{};
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
        return fail_sd(-error, "block signal");
    }
    auto impl = std::make_unique<Source::Impl>();
    impl->on_fire = std::move(callback);
    const int error = ::sd_event_add_signal(
        impl_->event, &impl->source, signal, &Source::Impl::signal, impl.get());
    if (error < 0) {
        return fail_sd(error, "watch signal");
    }
    return SourcePtr(new Source(std::move(impl)));
}

bool EventLoop::post(std::function<void()> task) {
    {
        const std::scoped_lock lock(impl_->mutex);
        if (impl_->stopped || impl_->posted.size() >= kMaxPosted) {
            return false;
        }
        impl_->posted.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    (void)!::write(impl_->wake.get(), &one, sizeof one);
    return true;
}

Result<int> EventLoop::run() {
    const int code = ::sd_event_loop(impl_->event);
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->stopped = true;
        impl_->posted.clear();
    }
    if (code < 0) {
        return fail_sd(code, "run event loop");
    }
    return code;
}

void EventLoop::stop(int code) {
    post([this, code] { ::sd_event_exit(impl_->event, code); });
}

}  // namespace vigia
