// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/inotify.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::daemon {

// Says at once when something changed that facts are read from: accounts (their folder, because
// editors replace the files), our own folders, the folders that definitions come from. Says only
// that; what it is now is read again. Belongs to the loop thread.
class HostWatch {
public:
    // A folder, and the names in it that matter; none: all of them.
    struct Place {
        std::string folder;
        std::vector<std::string> names = {};
        bool content = false;  // files written there matter, not only modes and names
        std::function<void()> changed;
    };

    // A place that cannot be watched now is tried again by refresh(); it is still polled by whoever
    // reads the facts.
    [[nodiscard]] static Result<std::unique_ptr<HostWatch>> create(EventLoop& loop,
                                                                   std::vector<Place> places);

    // Watches what has come back (a folder that was removed and made again).
    void refresh();

private:
    explicit HostWatch(std::vector<Place> places) : places_(std::move(places)) {}

    [[nodiscard]] bool concerns(const inotify_event& event, std::size_t place) const;
    void read_events();

    std::vector<Place> places_;
    std::vector<int> marks_;  // by place; -1: not watched
    UniqueFd inotify_;
    EventLoop::SourcePtr source_;
    EventLoop::SourcePtr timer_;
};

}  // namespace vigia::daemon
