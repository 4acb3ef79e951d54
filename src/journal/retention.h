// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "journal/sqlite.h"
#include "model/event.h"

namespace vigia::journal {

// What has to go, a bounded piece at a time, so that commits come through in between. One thread at
// a time (the writer's).
class Retention {
public:
    struct Limits {
        std::uint64_t max_bytes = 0;  // of the database file
        std::chrono::hours max_age{};
    };

    explicit Retention(Limits limits) : limits_(limits) {}

    // Above the size bound? Then step() until it has nothing more to do.
    [[nodiscard]] Result<bool> too_large(sqlite::Database& database) const;

    // Inside a transaction: deletes at most 5,000 events and returns what is to be told of it;
    // nothing when all is within the limits. First what is too old, then, above the size bound, the
    // lowest keep_rank and oldest until 5 % are free again. Beyond `slowest` (what a sink has not
    // acknowledged) only for the size, and only when nothing else is left. The newest event always
    // stays: its number must not be given again.
    [[nodiscard]] Result<std::optional<EventsDroppedBody>> step(
        sqlite::Database& database, WallTime now, std::optional<std::uint64_t> slowest);

    // Outside a transaction: gives the free pages back to the file system.
    [[nodiscard]] static Result<> shrink(sqlite::Database& database);

private:
    struct Victim {
        std::int64_t sequence = 0;
        int class_uid = 0;
    };

    using Victims = std::vector<Victim>;

    [[nodiscard]] static Result<std::uint64_t> used(sqlite::Database& database);
    [[nodiscard]] Result<Victims> expired(sqlite::Database& database,
                                          WallTime now,
                                          std::int64_t slowest) const;
    [[nodiscard]] static Result<Victims> cheapest(sqlite::Database& database,
                                                  std::int64_t after,
                                                  std::int64_t until,
                                                  std::uint64_t excess);
    // What has to go for its size; says in `body` what goes although nobody has got it yet.
    [[nodiscard]] Result<Victims> oversize(sqlite::Database& database,
                                           std::int64_t acknowledged,
                                           EventsDroppedBody& body);
    [[nodiscard]] static Result<> remove(sqlite::Database& database,
                                         const Victims& victims,
                                         EventsDroppedBody& body);
    [[nodiscard]] Result<> forget_old_items(sqlite::Database& database, WallTime now) const;

    Limits limits_;
    bool pressing_ = false;  // above the size bound, and not yet 5 % below it
};

}  // namespace vigia::journal
