// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/host_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace vigia::daemon {
namespace {

constexpr std::uint32_t kNamesAndModes =
    IN_ATTRIB | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kContent = IN_CLOSE_WRITE;
constexpr std::chrono::seconds kTryAgain{2};

}  // namespace

Result<std::unique_ptr<HostWatch>> HostWatch::create(EventLoop& loop, std::vector<Place> places) {
    auto self = std::unique_ptr<HostWatch>(new HostWatch(std::move(places)));
    self->inotify_ = UniqueFd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (!self->inotify_) {
        return fail_errno("inotify");
    }
    self->marks_.assign(self->places_.size(), -1);
    self->refresh();
    auto* watch = self.get();
    self->source_ = TRY(loop.on_io(
        self->inotify_.get(), EPOLLIN, [watch](std::uint32_t) { watch->read_events(); }));
    self->timer_ = TRY(loop.every(kTryAgain, [watch] { watch->refresh(); }));
    return self;
}

void HostWatch::refresh() {
    for (std::size_t at = 0; at < places_.size(); ++at) {
        if (marks_[at] < 0) {
            const auto mask = kNamesAndModes | (places_[at].content ? kContent : 0U);
            marks_[at] =
                ::inotify_add_watch(inotify_.get(), places_[at].folder.c_str(), mask | IN_MASK_ADD);
        }
    }
}

bool HostWatch::concerns(const inotify_event& event, std::size_t place) const {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
        return true;
    }
    const auto& names = places_[place].names;
    const std::string_view name = event.len > 0 ? static_cast<const char*>(event.name) : "";
    return event.wd == marks_[place] &&
           (names.empty() || name.empty() || std::ranges::find(names, name) != names.end());
}

void HostWatch::read_events() {
    alignas(inotify_event) std::array<char, 16384> buffer{};
    std::vector<bool> touched(places_.size(), false);
    ssize_t got = 0;
    while ((got = ::read(inotify_.get(), buffer.data(), buffer.size())) > 0) {
        for (ssize_t at = 0; at < got;) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            for (std::size_t place = 0; place < places_.size(); ++place) {
                touched[place] = touched[place] || concerns(*event, place);
                if (event->wd == marks_[place] && (event->mask & IN_IGNORED) != 0) {
                    marks_[place] = -1;
                }
            }
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        }
    }
    for (std::size_t place = 0; place < places_.size(); ++place) {
        if (touched[place]) {
            places_[place].changed();
        }
    }
}

}  // namespace vigia::daemon
