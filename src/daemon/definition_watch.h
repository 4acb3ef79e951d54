// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::daemon {

// Loads definitions when what lies in their folders has changed, once it has been quiet there for a
// moment: updaters replace many files one after the other. One thread of its own, because copying
// definitions takes seconds and a folder on a dead network file system for ever.
class DefinitionWatch {
public:
    struct Hooks {
        std::function<std::vector<std::string>()> folders;  // of the policy in force; any thread
        std::function<void()> load;                         // this thread; may take its time
    };

    // Watches from its return on: who loads after that misses nothing.
    [[nodiscard]] static Result<std::unique_ptr<DefinitionWatch>> start(Hooks hooks);
    DefinitionWatch(const DefinitionWatch&) = delete;
    DefinitionWatch& operator=(const DefinitionWatch&) = delete;

    ~DefinitionWatch();

    // Waits for a load under way; there is none after it.
    void stop();

    // The policy may name other folders now. Any thread; returns at once.
    void refresh();

    // Load anyway. Any thread; returns at once.
    void load_soon();

private:
    struct Place {
        std::string folder;
        int mark = -1;  // -1: not watched (not there); tried again every two seconds
    };

    DefinitionWatch(Hooks hooks, UniqueFd inotify, UniqueFd wake);

    void run();
    void mark();
    [[nodiscard]] bool read_events();
    void note_change();
    [[nodiscard]] int timeout() const;
    void nudge() const;

    const Hooks hooks_;
    UniqueFd inotify_;
    UniqueFd wake_;  // eventfd
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> asked_ = false;
    std::atomic<bool> other_folders_ = true;
    // The thread's own.
    std::vector<Place> places_;
    BootTime changed_first_{};  // of what has not been loaded yet
    BootTime due_ = BootTime::max();
    std::jthread thread_;  // last: it uses everything above
};

}  // namespace vigia::daemon
