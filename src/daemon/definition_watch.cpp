// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/definition_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace vigia::daemon {
namespace {

constexpr std::uint32_t kContent = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                   IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kFolderGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;
constexpr std::chrono::milliseconds kSettle{500};
constexpr std::chrono::seconds kLongestSettle{5};  // also while it never becomes quiet
constexpr std::chrono::seconds kTryAgain{2};

}  // namespace

Result<std::unique_ptr<DefinitionWatch>> DefinitionWatch::start(Hooks hooks) {
    UniqueFd inotify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (!inotify) {
        return fail_errno("inotify");
    }
    UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake) {
        return fail_errno("eventfd");
    }
    auto self = std::unique_ptr<DefinitionWatch>(
        new DefinitionWatch(std::move(hooks), std::move(inotify), std::move(wake)));
    self->mark();
    self->due_ = BootTime::max();
    self->thread_ = std::jthread([watch = self.get()] { watch->run(); });
    return self;
}

DefinitionWatch::DefinitionWatch(Hooks hooks, UniqueFd inotify, UniqueFd wake)
    : hooks_(std::move(hooks)), inotify_(std::move(inotify)), wake_(std::move(wake)) {}

DefinitionWatch::~DefinitionWatch() {
    stop();
}

void DefinitionWatch::stop() {
    stopping_ = true;
    nudge();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void DefinitionWatch::refresh() {
    other_folders_ = true;
    nudge();
}

void DefinitionWatch::load_soon() {
    asked_ = true;
    nudge();
}

void DefinitionWatch::nudge() const {
    (void)::eventfd_write(wake_.get(), 1);
}

void DefinitionWatch::run() {
    while (!stopping_) {
        mark();
        std::array<pollfd, 2> watched{pollfd{.fd = inotify_.get(), .events = POLLIN, .revents = 0},
                                      pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
        (void)::poll(watched.data(), watched.size(), timeout());
        eventfd_t ignored = 0;
        (void)::eventfd_read(wake_.get(), &ignored);
        if (read_events()) {
            note_change();
        }
        const bool settled = BootClock::now() >= due_;
        if (!stopping_ && (asked_.exchange(false) || settled)) {
            due_ = BootTime::max();
            hooks_.load();
        }
    }
}

void DefinitionWatch::note_change() {
    const auto now = BootClock::now();
    if (due_ == BootTime::max()) {
        changed_first_ = now;
    }
    due_ = std::min<BootTime>(now + kSettle, changed_first_ + kLongestSettle);
}

int DefinitionWatch::timeout() const {
    using std::chrono::milliseconds;
    const bool incomplete =
        std::ranges::any_of(places_, [](const Place& place) { return place.mark < 0; });
    auto until = due_;
    if (incomplete) {
        until = std::min<BootTime>(until, BootClock::now() + kTryAgain);
    }
    if (until == BootTime::max()) {
        return -1;
    }
    const auto left = std::chrono::ceil<milliseconds>(until - BootClock::now());
    return static_cast<int>(
        std::clamp(left, milliseconds{0}, milliseconds{kLongestSettle}).count());
}

// Watches what the policy names now, and what has come back.
void DefinitionWatch::mark() {
    if (other_folders_.exchange(false)) {
        const auto folders = hooks_.folders();
        std::erase_if(places_, [&](const Place& place) {
            const bool gone = std::ranges::find(folders, place.folder) == folders.end();
            if (gone && place.mark >= 0) {
                ::inotify_rm_watch(inotify_.get(), place.mark);
            }
            return gone;
        });
        for (const auto& folder : folders) {
            if (std::ranges::find(places_, folder, &Place::folder) == places_.end()) {
                places_.push_back({.folder = folder});
            }
        }
    }
    for (auto& place : places_) {
        if (place.mark >= 0) {
            continue;
        }
        place.mark = ::inotify_add_watch(inotify_.get(), place.folder.c_str(), kContent);
        // What came between the load before and this mark has no event of its own. A load of what
        // is loaded already ends at once.
        if (place.mark >= 0) {
            note_change();
        }
    }
}

bool DefinitionWatch::read_events() {
    alignas(inotify_event) std::array<char, 16384> buffer{};
    bool touched = false;
    ssize_t got = 0;
    while ((got = ::read(inotify_.get(), buffer.data(), buffer.size())) > 0) {
        touched = true;
        for (ssize_t at = 0; at < got;) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            const auto place = std::ranges::find(places_, event->wd, &Place::mark);
            if (place != places_.end() && (event->mask & kFolderGone) != 0) {
                ::inotify_rm_watch(inotify_.get(), place->mark);
                place->mark = -1;
            }
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        }
    }
    return touched;
}

}  // namespace vigia::daemon
