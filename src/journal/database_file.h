// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "journal/sqlite.h"

// The life of the journal's file: made, checked, set aside, and what is saved from a lost one. One
// thread at a time.
namespace vigia::journal {

struct Opened {
    sqlite::Database database;
    bool made = false;     // there was none
    bool unclean = false;  // the run before did not stop cleanly
};

// Opens or makes the file with our schema and a new epoch. EUCLEAN: damaged or not a journal. A
// file of at most 64 MiB, or any after an unclean stop, goes through SQLite's quick_check first;
// damage in a larger one is found when it is touched.
[[nodiscard]] Result<Opened> open_database(const std::filesystem::path& file);

// Renames the file, its -wal and its -shm to `<file>.damaged-<utc>`, as far as they are there; the
// three newest such are kept. No connection may write any more. Returns the new name, empty when
// there was no file.
[[nodiscard]] Result<std::string> set_aside(const std::filesystem::path& file, WallTime now);

// What could still be read of a journal that is being given up.
struct Salvage {
    std::vector<std::pair<std::string, std::string>> quarantine = {};  // {id, record}
    std::map<std::string, std::string> values = {};
    std::vector<std::string> episodes = {};  // records
    std::vector<std::string> sinks = {};
    std::string epoch = {};
    std::uint64_t first = 0;  // events that are gone with it
    std::uint64_t last = 0;
    std::vector<std::pair<std::string, std::uint64_t>> per_class = {};
    std::uint64_t undelivered = 0;  // of them, beyond the slowest sink
};

[[nodiscard]] Salvage salvage(sqlite::Database& database);

// Which files the names lead to; tells when they are no longer those of our connections.
class FileWatch {
public:
    explicit FileWatch(const std::filesystem::path& file);

    // Remembers what is there now. Call when a connection has written.
    void note() noexcept;

    // Deleted, replaced or emptied since: a stable word for what has happened, else nothing. Cheap:
    // three stat calls.
    [[nodiscard]] const char* moved() const noexcept;

    // The name now leads to a file on another file system than the one seen.
    [[nodiscard]] bool is_elsewhere() const noexcept;

    // Forgets them.
    void reset() noexcept { seen_ = {}; }

    // Of the database file.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return seen_[0].size; }

private:
    struct Seen {
        dev_t device = 0;
        ino_t inode = 0;  // 0: was not there
        std::uint64_t size = 0;
    };

    [[nodiscard]] static Seen look(const std::filesystem::path& file) noexcept;

    std::array<std::filesystem::path, 3> files_;  // the database, its -wal, its -shm
    std::array<Seen, 3> seen_{};
};

}  // namespace vigia::journal
