// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/database_file.h"
#include "journal/journal.h"
#include "journal/sqlite.h"
#include "wire/event_json.h"

namespace vigia::journal {

// How long an event is kept when something has to go: lower goes first. Those of faults go last:
// they are few, and each is to be told once. Before them detections, the rest by severity.
[[nodiscard]] int keep_rank(const Event& event) noexcept;

// The writing connection: numbers, renders and inserts. One thread at a time (the writer's). All
// changes happen between begin() and commit(); after any error in between call roll_back().
class Store {
public:
    // `frame` with the names of this machine; epoch and sequence are the journal's.
    [[nodiscard]] static Result<Store> open(Opened opened, wire::EventFrame frame);

    [[nodiscard]] const std::string& epoch() const noexcept { return frame_.epoch; }

    [[nodiscard]] std::uint64_t last() const noexcept { return frame_.sequence; }

    [[nodiscard]] Result<std::uint64_t> first();
    [[nodiscard]] Result<std::map<std::string, std::uint64_t>> positions();

    [[nodiscard]] Result<> begin();
    [[nodiscard]] Result<> commit();  // durable when it returns
    void roll_back() noexcept;

    // The numbered events, in order.
    [[nodiscard]] Result<std::vector<StoredEvent>> apply(const Change& change);
    [[nodiscard]] Result<> take_over(const Salvage& saved);
    [[nodiscard]] Result<> put_position(const std::string& sink, std::uint64_t sequence);
    [[nodiscard]] Result<> remove_position(const std::string& sink);

    [[nodiscard]] sqlite::Database& database() noexcept { return database_; }

    // Everything is in the file, and the next start is told that this stop was a clean one.
    void finish() noexcept;

private:
    struct Statements {
        sqlite::Statement begin;
        sqlite::Statement commit;
        sqlite::Statement event;
        sqlite::Statement quarantine;
        sqlite::Statement fact;
        sqlite::Statement episode;
        sqlite::Statement prune_episodes;
        sqlite::Statement position;
        sqlite::Statement remove_position;
    };

    Store(sqlite::Database database, wire::EventFrame frame, Statements statements);

    [[nodiscard]] static Result<Statements> prepare(sqlite::Database& database);
    [[nodiscard]] Result<StoredEvent> insert(const Event& event);
    [[nodiscard]] Result<> insert(const QuarantineItem& item);
    [[nodiscard]] Result<> insert(const Episode& episode);
    [[nodiscard]] Result<> insert_fact(const std::string& key, const std::string& value);

    sqlite::Database database_;  // before the statements: they must go first
    Statements statements_;
    wire::EventFrame frame_;          // `sequence`: of the newest event
    std::uint64_t before_begin_ = 0;  // the same, should the transaction be given up
};

}  // namespace vigia::journal
