// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "wire/fault_json.h"
#include "wire/quarantine_json.h"

namespace vigia::journal {
namespace {

constexpr std::size_t kMostPerCall = 10'000;

StoredEvent event_of(const sqlite::Statement& row, const std::string& epoch) {
    return {.sequence = static_cast<std::uint64_t>(row.integer(0)),
            .epoch = epoch,
            .uid = row.text(1),
            .class_uid = static_cast<int>(row.integer(2)),
            .severity = static_cast<Severity>(row.integer(3)),
            .time = WallTime{std::chrono::nanoseconds{row.integer(4)}},
            .json = row.text(5)};
}

std::string sql_for(const Query& query) {
    std::string sql =
        "SELECT sequence, uid, class_uid, severity, time, json FROM events "
        "WHERE sequence > ?1";
    sql += query.since ? " AND time >= ?2" : "";
    sql += query.class_uid ? " AND class_uid = ?3" : "";
    sql += query.newest ? " ORDER BY sequence DESC LIMIT ?4" : " ORDER BY sequence LIMIT ?4";
    return sql;
}

}  // namespace

void Reader::close() {
    const std::scoped_lock lock(mutex_);
    open_.reset();
    allowed_ = false;
}

void Reader::allow() {
    const std::scoped_lock lock(mutex_);
    allowed_ = true;
}

Result<> Reader::ensure_open() {
    if (open_) {
        return {};
    }
    if (!allowed_) {
        return fail(std::errc::no_message_available, "the journal is not open");
    }
    auto database = TRY(sqlite::Database::open(file_));
    TRY(database.execute("PRAGMA query_only = ON; PRAGMA cell_size_check = ON"), "read journal");
    auto epoch = TRY(database.text("SELECT value FROM meta WHERE key = 'epoch'"), "read journal");
    open_.emplace(Open{.database = std::move(database), .epoch = std::move(epoch)});
    return {};
}

Result<std::vector<StoredEvent>> Reader::events(const Query& query) {
    const std::scoped_lock lock(mutex_);
    TRY(ensure_open());
    constexpr std::uint64_t kMostSequence = std::numeric_limits<std::int64_t>::max();
    const auto after = static_cast<std::int64_t>(std::min(query.after, kMostSequence));
    const auto limit = static_cast<std::int64_t>(std::min(query.limit, kMostPerCall));
    auto statement = TRY(open_->database.prepare(sql_for(query)), "read journal");
    statement.bind(1, after).bind(4, limit);
    if (query.since) {
        statement.bind(2, query.since->time_since_epoch().count());
    }
    if (query.class_uid) {
        statement.bind(3, *query.class_uid);
    }
    std::vector<StoredEvent> events;
    while (TRY(statement.step(), "read journal")) {
        events.push_back(event_of(statement, open_->epoch));
    }
    if (query.newest) {
        std::ranges::reverse(events);
    }
    return events;
}

Result<std::vector<QuarantineItem>> Reader::quarantine() {
    const std::scoped_lock lock(mutex_);
    TRY(ensure_open());
    auto statement = TRY(open_->database.prepare("SELECT record FROM quarantine ORDER BY time, id"),
                         "read quarantine");
    std::vector<QuarantineItem> items;
    while (TRY(statement.step(), "read quarantine")) {
        // One that cannot be read must not hide the others; asked for by its id it is an error.
        if (auto item = wire::parse_quarantine_record(statement.text(0))) {
            items.push_back(*std::move(item));
        }
    }
    return items;
}

Result<std::optional<QuarantineItem>> Reader::quarantine(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    TRY(ensure_open());
    auto statement = TRY(open_->database.prepare("SELECT record FROM quarantine WHERE id = ?"),
                         "read quarantine");
    if (!TRY(statement.bind(1, id).step(), "read quarantine")) {
        return std::nullopt;
    }
    return TRY(wire::parse_quarantine_record(statement.text(0)), "read quarantine");
}

Result<std::vector<Episode>> Reader::episodes(bool open_only, std::size_t limit) {
    const std::scoped_lock lock(mutex_);
    TRY(ensure_open());
    auto statement =
        TRY(open_->database.prepare(
                open_only ? "SELECT record FROM episodes WHERE open ORDER BY raised DESC, "
                            "episode LIMIT ?"
                          : "SELECT record FROM episodes ORDER BY raised DESC, episode "
                            "LIMIT ?"),
            "read episodes");
    statement.bind(1, static_cast<std::int64_t>(std::min(limit, kMostPerCall)));
    std::vector<Episode> episodes;
    while (TRY(statement.step(), "read episodes")) {
        // One that cannot be read must not hide the others.
        if (auto episode = wire::parse_episode_record(statement.text(0))) {
            episodes.push_back(*std::move(episode));
        }
    }
    std::ranges::reverse(episodes);
    return episodes;
}

Result<std::optional<std::string>> Reader::value(const std::string& key) {
    const std::scoped_lock lock(mutex_);
    TRY(ensure_open());
    auto statement =
        TRY(open_->database.prepare("SELECT value FROM facts WHERE key = ?"), "read value");
    if (!TRY(statement.bind(1, key).step(), "read value")) {
        return std::nullopt;
    }
    return statement.text(0);
}

}  // namespace vigia::journal
