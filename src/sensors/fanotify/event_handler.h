// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "model/activity.h"
#include "sensors/fanotify/accounts.h"
#include "sensors/fanotify/generation_cache.h"
#include "sensors/fanotify/resolver.h"
#include "sensors/fanotify/shared.h"
#include "wire/fanotify_records.h"

namespace vigia::sensors {

// What one event means: handed on, or the reason why not. One thread.
class EventHandler {
public:
    explicit EventHandler(Shared& shared) : shared_(shared) {}

    // Takes up the newest map; before each batch, all of which happened after that moment.
    void begin_batch(BootTime after);

    // Nothing: it was handed on. Takes record.file. `at`: when the batch was read.
    [[nodiscard]] std::optional<Reason> handle(const wire::FanotifyRecord& record, BootTime at);

    // The kernel lost events: nobody knows any more what was in the folders.
    void overflowed(BootTime at);

    // hard-parts 6: no mount is held while waiting, nor longer than 100 ms.
    void close_mounts() { resolver_.close_mounts(); }

private:
    // A record of handle mode whose object is known.
    struct Event {
        const wire::FanotifyRecord& record;
        const ObjectId& object;
        BootTime at;
    };

    using Outcome = std::optional<Reason>;

    [[nodiscard]] Outcome handle_file(const Event& event, const wire::FolderEntry& entry);
    [[nodiscard]] Outcome handle_nameless(const Event& event);
    [[nodiscard]] Outcome handle_folder(const Event& event, const wire::FolderEntry& entry);
    [[nodiscard]] Outcome handle_descriptor(const wire::FanotifyRecord& record, BootTime at);
    [[nodiscard]] Outcome not_inside(const Event& event, Reason reason);
    [[nodiscard]] Placement place_of_entry(const wire::FolderEntry& entry);
    [[nodiscard]] bool needs_walk(const Event& event, const Placement& to);
    [[nodiscard]] std::size_t deliver_watched_below(const Event& event,
                                                    const FileSystem& fs,
                                                    const std::string& path);
    void remember_link(const Event& event, const std::string& path);
    void deliver(const Event& event, FileChanges changes, std::string path);

    static constexpr std::size_t kLinksRemembered = 16'384;

    Shared& shared_;
    std::shared_ptr<const WatchMap> map_ = std::make_shared<WatchMap>();
    Resolver resolver_;
    // Files that came into the watch by one of several names: a write through a name outside
    // changes them too. The value is the name inside.
    GenerationCache<ObjectId, std::string> linked_{kLinksRemembered};
    BootTime after_{};
    BootTime unknown_until_{};
};

}  // namespace vigia::sensors
