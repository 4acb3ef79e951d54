// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/store.h"

#include <string_view>
#include <utility>

#include "wire/fault_json.h"
#include "wire/quarantine_json.h"

namespace vigia::journal {
namespace {

constexpr int kDetectionFinding = 2004;  // OCSF class
constexpr std::int64_t kClosedEpisodes = 10'000;

std::int64_t nanoseconds(WallTime time) noexcept {
    return time.time_since_epoch().count();
}

}  // namespace

int keep_rank(const Event& event) noexcept {
    constexpr int kAboveAllSeverities = 9;
    constexpr int kLast = 10;
    if (std::holds_alternative<FaultBody>(event.body)) {
        return kLast;
    }
    return wire::class_uid(event) == kDetectionFinding ? kAboveAllSeverities
                                                       : static_cast<int>(event.severity);
}

Store::Store(sqlite::Database database, wire::EventFrame frame, Statements statements)
    : database_(std::move(database)),
      statements_(std::move(statements)),
      frame_(std::move(frame)),
      before_begin_(frame_.sequence) {}

Result<Store::Statements> Store::prepare(sqlite::Database& database) {
    return Statements{
        .begin = TRY(database.prepare("BEGIN IMMEDIATE")),
        .commit = TRY(database.prepare("COMMIT")),
        .event = TRY(database.prepare("INSERT INTO events VALUES(?, ?, ?, ?, ?, ?, ?)")),
        .quarantine = TRY(database.prepare("INSERT OR REPLACE INTO quarantine VALUES(?, ?, ?, ?)")),
        .fact = TRY(database.prepare("INSERT OR REPLACE INTO facts VALUES(?, ?)")),
        .episode = TRY(database.prepare("INSERT OR REPLACE INTO episodes VALUES(?, ?, ?, ?, ?)")),
        .prune_episodes = TRY(database.prepare("DELETE FROM episodes WHERE NOT open AND raised < "
                                               "(SELECT raised FROM episodes WHERE NOT "
                                               "open ORDER BY raised DESC LIMIT 1 OFFSET ?)")),
        .position = TRY(database.prepare("INSERT OR REPLACE INTO positions VALUES(?, ?)")),
        .remove_position = TRY(database.prepare("DELETE FROM positions WHERE sink = ?")),
    };
}

Result<Store> Store::open(Opened opened, wire::EventFrame frame) {
    auto& database = opened.database;
    frame.epoch = TRY(database.text("SELECT value FROM meta WHERE key = 'epoch'"), "open journal");
    frame.sequence = static_cast<std::uint64_t>(
        TRY(database.integer("SELECT max(sequence) FROM events"), "open journal"));
    auto statements = TRY(prepare(database), "open journal");
    return Store(std::move(database), std::move(frame), std::move(statements));
}

Result<std::uint64_t> Store::first() {
    return static_cast<std::uint64_t>(TRY(database_.integer("SELECT min(sequence) FROM events")));
}

Result<std::map<std::string, std::uint64_t>> Store::positions() {
    auto statement = TRY(database_.prepare("SELECT sink, sequence FROM positions"));
    std::map<std::string, std::uint64_t> positions;
    while (TRY(statement.step())) {
        positions[statement.text(0)] = static_cast<std::uint64_t>(statement.integer(1));
    }
    return positions;
}

Result<> Store::begin() {
    before_begin_ = frame_.sequence;
    return statements_.begin.run();
}

Result<> Store::commit() {
    return statements_.commit.run();
}

void Store::roll_back() noexcept {
    frame_.sequence = before_begin_;
    if (database_.in_transaction()) {
        // Fails only when SQLite has rolled back by itself already.
        static_cast<void>(database_.execute("ROLLBACK"));
    }
}

Result<std::vector<StoredEvent>> Store::apply(const Change& change) {
    for (const auto& item : change.quarantine) {
        TRY(insert(item), "write quarantine item");
    }
    for (const auto& [key, value] : change.values) {
        TRY(insert_fact(key, value), "write value");
    }
    for (const auto& episode : change.episodes) {
        TRY(insert(episode), "write fault episode");
    }
    std::vector<StoredEvent> stored;
    stored.reserve(change.events.size());
    for (const auto& event : change.events) {
        stored.push_back(TRY(insert(event), "write event"));
    }
    return stored;
}

Result<StoredEvent> Store::insert(const Event& event) {
    ++frame_.sequence;
    StoredEvent stored{.sequence = frame_.sequence,
                       .epoch = frame_.epoch,
                       .uid = event.uid.text,
                       .class_uid = wire::class_uid(event),
                       .severity = event.severity,
                       .time = event.time,
                       .json = wire::to_json(event, frame_)};
    TRY(statements_.event.bind(1, static_cast<std::int64_t>(stored.sequence))
            .bind(2, stored.uid)
            .bind(3, stored.class_uid)
            .bind(4, static_cast<std::int64_t>(stored.severity))
            .bind(5, keep_rank(event))
            .bind(6, nanoseconds(stored.time))
            .bind(7, stored.json)
            .run());
    return stored;
}

Result<> Store::insert(const QuarantineItem& item) {
    const auto record = wire::to_record(item);
    return statements_.quarantine.bind(1, item.id)
        .bind(2, static_cast<std::int64_t>(item.state))
        .bind(3, nanoseconds(item.quarantined_at))
        .bind(4, record)
        .run();
}

Result<> Store::insert(const Episode& episode) {
    TRY(statements_.episode.bind(1, episode.episode.text)
            .bind(2, static_cast<std::int64_t>(episode.id))
            .bind(3, nanoseconds(episode.raised_at))
            .bind(4, static_cast<std::int64_t>(episode.cleared_at ? 0 : 1))
            .bind(5, wire::to_record(episode))
            .run());
    return episode.cleared_at ? statements_.prune_episodes.bind(1, kClosedEpisodes).run()
                              : Result<>{};
}

Result<> Store::insert_fact(const std::string& key, const std::string& value) {
    return statements_.fact.bind(1, key).bind(2, value).run();
}

Result<> Store::take_over(const Salvage& saved) {
    for (const auto& [id, record] : saved.quarantine) {
        // A record that does not parse is damage itself.
        if (const auto item = wire::parse_quarantine_record(record); item && item->id == id) {
            TRY(insert(*item), "take over quarantine item");
        }
    }
    for (const auto& [key, value] : saved.values) {
        TRY(insert_fact(key, value), "take over value");
    }
    for (const auto& record : saved.episodes) {
        if (const auto episode = wire::parse_episode_record(record)) {
            TRY(insert(*episode), "take over fault episode");
        }
    }
    for (const auto& sink : saved.sinks) {
        TRY(put_position(sink, 0), "take over sink");
    }
    return {};
}

Result<> Store::put_position(const std::string& sink, std::uint64_t sequence) {
    return statements_.position.bind(1, sink).bind(2, static_cast<std::int64_t>(sequence)).run();
}

Result<> Store::remove_position(const std::string& sink) {
    return statements_.remove_position.bind(1, sink).run();
}

void Store::finish() noexcept {
    // Failing, the next start only says that the stop was not clean.
    static_cast<void>(database_.execute("INSERT OR REPLACE INTO meta VALUES('clean', '1')"));
    database_.finish();
}

}  // namespace vigia::journal
