// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/event.h"
#include "model/fault.h"
#include "model/quarantine.h"

namespace vigia::journal {

// What belongs together: events and the state they stand for. One transaction.
//
// When a commit() fails, its events, values, episodes and those items that state a fact
// (Quarantined, Restored, Deleted) are held in memory, in order, and written as one transaction as
// soon as writing works again: the caller must not send them again. Items that state an intent
// (Storing, Removing) are not held: the caller stops the work that it was about to do. At most
// Options::max_held events are held; beyond that the oldest of the lowest severity go first,
// counted in State::lost and told by one Events Dropped event. What is held is not seen by read(),
// quarantine() and value().
struct Change {
    std::vector<Event> events = {};                  // time 0: filled in with the time of commit
    std::vector<QuarantineItem> quarantine = {};     // inserted or replaced by id
    std::map<std::string, std::string> values = {};  // small durable facts by key (watermarks, …)
    std::vector<Episode> episodes = {};              // inserted or replaced by their UUID
};

struct Query {
    std::uint64_t after = 0;  // sequence
    std::optional<WallTime> since = {};
    std::optional<int> class_uid = {};
    std::size_t limit = 1000;  // at most 10,000 a call; oldest first
    bool newest = false;       // the newest `limit` instead (still oldest first)
};

// SQLite in WAL mode; the outbox of everything that is told (hard-parts 14). Thread-safe. One
// private thread writes, through a connection of its own; reads go through another and never wait
// for writes. A file that is damaged, deleted or replaced under us is set aside as
// `<file>.damaged-<utc>` at once, a new one with a new epoch begun, and what could still be read of
// quarantine and values taken over.
//
// Errors carry errno-like codes: ENOSPC, EROFS, EIO, EDQUOT; EUCLEAN for a damaged file (by the
// time it is returned the next one is being begun); ETIMEDOUT when the storage has not answered for
// 30 s (what was given is held, as above); ECANCELED after the journal has been told to stop.
class Journal {
public:
    struct Options {
        std::filesystem::path file;  // 0600
        std::string device_name;     // for the events' `device`
        std::string boot_id;
        std::uint64_t max_bytes = std::uint64_t{512}
                                  << 20U;  // of the database; its WAL adds ≤ 64 MiB
        std::chrono::hours max_age{24 * 90};
        std::chrono::milliseconds group{100};              // telemetry: group commit at the latest
        std::uint64_t reserve = std::uint64_t{16} << 20U;  // bytes of `journal.reserve`, freed on
                                                           // ENOSPC; 0: none
        std::string device_uid = {};                       // stable id of the machine, for `device`
        std::size_t max_held = 10'000;                     // events held while writing fails
        std::shared_ptr<const Clock> clock = {};           // none: the machine's wall clock
    };

    struct State {
        bool ok = false;
        std::string error;  // last, empty when ok
        std::string epoch;
        std::uint64_t first = 0;  // oldest sequence kept
        std::uint64_t last = 0;
        std::uint64_t bytes = 0;     // of the database file, without its WAL
        std::uint64_t lost = 0;      // events that could not be written and are gone
        std::uint64_t waiting = 0;   // not committed yet: telemetry and what is held
        bool began_new = false;      // the one before was missing or damaged
        std::string set_aside;       // where a damaged one went
        std::string renewal_reason;  // why it was replaced: journal-damaged, journal-deleted, …
        std::optional<BootTime> renewed_at;  // when it was replaced under this run
        int error_number = 0;                // errno-like code of `error`, 0 when ok
        bool unclean = false;        // the run before did not stop cleanly: its telemetry of
                                     // the last `group` may be missing, how much is unknown
        bool reserve_ready = false;  // the reserve file is there
    };

    // A damaged file is set aside (never a crash) and a new epoch begun. A full or read-only file
    // system is no error here: state().ok is false, events are held and writing is tried again each
    // second. Errors are a folder that is missing, or permissions.
    [[nodiscard]] static Result<std::unique_ptr<Journal>> open(Options options);

    Journal() = default;
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    // Writes what waits, for at most 1.5 s, and marks the stop as clean if all was written.
    virtual ~Journal() = default;

    // Durable (synchronous=FULL) when it returns; concurrent commits share one transaction. The
    // numbered events are returned, in the order given. On error see Change.
    [[nodiscard]] virtual Result<std::vector<StoredEvent>> commit(Change change) = 0;

    // Telemetry: group-committed within 100 ms or 1,000 events. Never waits for the storage. At
    // most 50,000 wait; what does not fit is counted as lost and told in one Events Dropped event.
    virtual void append(Event event) = 0;

    [[nodiscard]] virtual Result<std::vector<StoredEvent>> read(const Query& query) const = 0;

    [[nodiscard]] virtual Result<std::vector<QuarantineItem>> quarantine() const = 0;
    [[nodiscard]] virtual Result<std::optional<QuarantineItem>> quarantine(
        const std::string& id) const = 0;
    // Raised or closed, the newest `limit` (at most 10,000), oldest first. Of closed ones the
    // newest 10,000 are kept, no longer than max_age.
    [[nodiscard]] virtual Result<std::vector<Episode>> episodes(bool open_only,
                                                                std::size_t limit) const = 0;

    [[nodiscard]] virtual std::optional<std::string> value(const std::string& key) const = 0;

    // Each sink's acknowledged position, within the epoch. 0 for a sink that is not known: its
    // first acknowledge (of 0, if need be) makes it known, and retention waits for it from then on.
    [[nodiscard]] virtual std::uint64_t position(const std::string& sink) const = 0;

    // Seen by position() at once, durable within a second: after a kill a sink may start a little
    // earlier. `epoch`, where given, must be the journal's, else ESTALE: what was delivered is of a
    // journal that is gone.
    [[nodiscard]] virtual Result<> acknowledge(const std::string& sink,
                                               std::uint64_t sequence,
                                               const std::string& epoch) = 0;

    [[nodiscard]] Result<> acknowledge(const std::string& sink, std::uint64_t sequence) {
        return acknowledge(sink, sequence, {});
    }

    // A sink that policy no longer has: retention waits for it no more.
    virtual void forget(const std::string& sink) = 0;

    // Called after each commit with the newest sequence, on the writer thread; must not block, must
    // not call the journal's commit(). Each call adds one; an empty one takes all away and returns
    // when none is running.
    virtual void on_commit(std::function<void(std::uint64_t)> callback) = 0;

    // Drops what is older than max_age or above max_bytes, oldest low severity first, and says so.
    // The journal does it by itself when the size bound is passed; call it for the age, hourly or
    // so. Detections go last. What a sink has not acknowledged goes only for the size bound.
    [[nodiscard]] virtual Result<> enforce_retention() = 0;

    // Sets the file aside and begins a new epoch. For a journal that is older than what a sink has
    // delivered of the same epoch (a restored backup): its numbers would be given twice.
    [[nodiscard]] virtual Result<> begin_epoch(const std::string& why) = 0;

    [[nodiscard]] virtual State state() const = 0;
};

}  // namespace vigia::journal
