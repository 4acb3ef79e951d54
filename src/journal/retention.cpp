// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/retention.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "model/quarantine.h"

namespace vigia::journal {
namespace {

constexpr std::int64_t kPerStep = 5000;      // events
constexpr std::int64_t kRowOverhead = 120;   // bytes: columns and index entries beside the JSON
constexpr std::uint64_t kFreeFraction = 20;  // one 20th is freed beyond the bound
constexpr auto kNoLimit = std::numeric_limits<std::int64_t>::max();

std::int64_t cutoff(WallTime now, std::chrono::hours max_age) noexcept {
    return (now - max_age).time_since_epoch().count();
}

}  // namespace

Result<std::uint64_t> Retention::used(sqlite::Database& database) {
    const auto pages = TRY(database.integer("PRAGMA page_count"));
    const auto free = TRY(database.integer("PRAGMA freelist_count"));
    const auto size = TRY(database.integer("PRAGMA page_size"));
    return static_cast<std::uint64_t>((pages - free) * size);
}

Result<bool> Retention::too_large(sqlite::Database& database) const {
    return TRY(used(database)) > limits_.max_bytes;
}

Result<Retention::Victims> Retention::expired(sqlite::Database& database,
                                              WallTime now,
                                              std::int64_t slowest) const {
    auto statement = TRY(database.prepare(
        "SELECT sequence, class_uid FROM events INDEXED BY events_time WHERE time < ? AND "
        "sequence <= ? AND sequence < (SELECT max(sequence) FROM events) ORDER BY time LIMIT ?"));
    statement.bind(1, cutoff(now, limits_.max_age)).bind(2, slowest).bind(3, kPerStep);
    Victims victims;
    while (TRY(statement.step())) {
        victims.push_back({statement.integer(0), static_cast<int>(statement.integer(1))});
    }
    return victims;
}

Result<Retention::Victims> Retention::cheapest(sqlite::Database& database,
                                               std::int64_t after,
                                               std::int64_t until,
                                               std::uint64_t excess) {
    auto statement = TRY(database.prepare(
        "SELECT sequence, class_uid, length(json) FROM events INDEXED BY events_keep WHERE "
        "sequence > ? AND sequence <= ? AND sequence < (SELECT max(sequence) FROM events) "
        "ORDER BY keep, sequence LIMIT ?"));
    statement.bind(1, after).bind(2, until).bind(3, kPerStep);
    Victims victims;
    std::uint64_t bytes = 0;
    while (bytes < excess && TRY(statement.step())) {
        victims.push_back({statement.integer(0), static_cast<int>(statement.integer(1))});
        bytes += static_cast<std::uint64_t>(statement.integer(2) + kRowOverhead);
    }
    return victims;
}

Result<> Retention::forget_old_items(sqlite::Database& database, WallTime now) const {
    auto episodes = TRY(database.prepare("DELETE FROM episodes WHERE NOT open AND raised < ?"));
    TRY(episodes.bind(1, cutoff(now, limits_.max_age)).run());
    auto statement =
        TRY(database.prepare("DELETE FROM quarantine WHERE state IN (?, ?) AND time < ?"));
    return statement.bind(1, static_cast<std::int64_t>(QuarantineState::Restored))
        .bind(2, static_cast<std::int64_t>(QuarantineState::Deleted))
        .bind(3, cutoff(now, limits_.max_age))
        .run();
}

Result<Retention::Victims> Retention::oversize(sqlite::Database& database,
                                               std::int64_t acknowledged,
                                               EventsDroppedBody& body) {
    const auto bytes = TRY(used(database));
    const auto target = limits_.max_bytes - limits_.max_bytes / kFreeFraction;
    pressing_ = bytes > limits_.max_bytes || (pressing_ && bytes > target);
    Victims victims;
    if (pressing_) {
        victims = TRY(cheapest(database, 0, acknowledged, bytes - target));
    }
    if (victims.empty() && bytes > limits_.max_bytes) {
        victims = TRY(cheapest(database, acknowledged, kNoLimit, bytes - target));
        body.undelivered = victims.size();
    }
    return victims;
}

Result<> Retention::remove(sqlite::Database& database,
                           const Victims& victims,
                           EventsDroppedBody& body) {
    const auto [first, last] = std::ranges::minmax_element(victims, {}, &Victim::sequence);
    body.first = static_cast<std::uint64_t>(first->sequence);
    body.last = static_cast<std::uint64_t>(last->sequence);
    std::map<int, std::uint64_t> per_class;
    auto statement = TRY(database.prepare("DELETE FROM events WHERE sequence = ?"));
    for (const auto& victim : victims) {
        ++per_class[victim.class_uid];
        TRY(statement.bind(1, victim.sequence).run());
    }
    for (const auto& [name, count] : per_class) {
        body.per_class.emplace_back(std::to_string(name), count);
    }
    return {};
}

Result<std::optional<EventsDroppedBody>> Retention::step(sqlite::Database& database,
                                                         WallTime now,
                                                         std::optional<std::uint64_t> slowest) {
    const std::int64_t acknowledged = slowest ? static_cast<std::int64_t>(*slowest) : kNoLimit;
    EventsDroppedBody body{.reason = "age"};
    auto victims = TRY(expired(database, now, acknowledged));
    if (victims.empty()) {
        TRY(forget_old_items(database, now));
        body.reason = "size";
        victims = TRY(oversize(database, acknowledged, body));
    }
    if (victims.empty()) {
        pressing_ = false;
        return std::nullopt;
    }
    TRY(remove(database, victims, body));
    return body;
}

Result<> Retention::shrink(sqlite::Database& database) {
    TRY(database.execute("PRAGMA incremental_vacuum"), "shrink journal");
    database.checkpoint();
    return {};
}

}  // namespace vigia::journal
