// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/database_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/files.h"
#include "base/text.h"
#include "base/uuid.h"

namespace vigia::journal {
namespace {

constexpr std::uint64_t kAlwaysCheck = std::uint64_t{64} << 20U;  // bytes
constexpr std::size_t kSetAsideKept = 3;
constexpr std::string_view kSetAsideMark = ".damaged-";
constexpr std::array<const char*, 3> kSuffixes{"", "-wal", "-shm"};

constexpr std::int64_t kApplicationId = 0x56494741;  // "VIGA", for file(1) and for us
constexpr std::int64_t kSchema = 2;

// auto_vacuum must come before the first table, journal_mode before the first transaction.
constexpr const char* kMake = R"(
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events(sequence INTEGER PRIMARY KEY, uid TEXT NOT NULL, class_uid INTEGER NOT NULL,
                    severity INTEGER NOT NULL, keep INTEGER NOT NULL, time INTEGER NOT NULL,
                    json TEXT NOT NULL);
CREATE INDEX events_class ON events(class_uid);
CREATE INDEX events_keep ON events(keep);
CREATE INDEX events_time ON events(time);
CREATE TABLE quarantine(id TEXT PRIMARY KEY, state INTEGER NOT NULL, time INTEGER NOT NULL,
                        record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE episodes(episode TEXT PRIMARY KEY, id INTEGER NOT NULL, raised INTEGER NOT NULL,
                      open INTEGER NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX episodes_raised ON episodes(raised);
CREATE TABLE positions(sink TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 0x56494741;
PRAGMA user_version = 2;
COMMIT;
)";

// What version 2 added to version 1.
constexpr const char* kUpgrade = R"(
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS episodes(episode TEXT PRIMARY KEY, id INTEGER NOT NULL,
                      raised INTEGER NOT NULL, open INTEGER NOT NULL,
                      record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS episodes_raised ON episodes(raised);
PRAGMA user_version = 2;
COMMIT;
)";

// Per connection. The WAL is moved into the file at 16 MiB and cut back to that afterwards.
constexpr const char* kSettings = R"(
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 4096;
PRAGMA journal_size_limit = 16777216;
PRAGMA temp_store = MEMORY;
PRAGMA cell_size_check = ON;
)";

std::unexpected<Error> damaged(std::string what) {
    return std::unexpected(
        Error{.code = {EUCLEAN, std::system_category()}, .context = std::move(what)});
}

Result<> make_schema(sqlite::Database& database) {
    TRY(database.execute(kMake), "make journal");
    auto insert = TRY(database.prepare("INSERT INTO meta VALUES('epoch', ?)"));
    const auto epoch = Uuid::random();
    TRY(insert.bind(1, epoch.text).run(), "make journal");
    return {};
}

Result<> check(sqlite::Database& database, std::uint64_t bytes, bool unclean) {
    const auto schema = TRY(database.integer("PRAGMA user_version"));
    if (TRY(database.integer("PRAGMA application_id")) != kApplicationId || schema < 1 ||
        schema > kSchema) {
        return damaged("not a journal of this version");
    }
    const auto epoch = TRY(database.text("SELECT value FROM meta WHERE key = 'epoch'"));
    if (epoch.empty()) {
        return damaged("journal without an epoch");
    }
    if (bytes <= kAlwaysCheck || unclean) {
        const auto verdict = TRY(database.text("PRAGMA quick_check(1)"));
        if (verdict != "ok") {
            return damaged("journal check: " + printable(verdict));
        }
    }
    return {};
}

Result<Opened> prepare(const std::filesystem::path& file, std::uint64_t bytes, bool made) {
    Opened opened{.database = TRY(sqlite::Database::open_or_make(file)), .made = made};
    auto& database = opened.database;
    TRY(database.execute(kSettings), "open journal");
    if (made) {
        TRY(make_schema(database));
    } else {
        opened.unclean =
            TRY(database.integer("SELECT value = '1' FROM meta WHERE key = 'clean'")) == 0;
        TRY(check(database, bytes, opened.unclean));
        if (TRY(database.integer("PRAGMA user_version")) < kSchema) {
            TRY(database.execute(kUpgrade), "upgrade journal");
        }
    }
    TRY(database.execute("INSERT OR REPLACE INTO meta VALUES('clean', '0')"), "open journal");
    return opened;
}

void remove_files(const std::string& file) {
    for (const char* suffix : kSuffixes) {
        ::unlink((file + suffix).c_str());
    }
}

std::string set_aside_name(const std::filesystem::path& file, WallTime now) {
    std::string stamp = to_iso8601(now);
    std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
    std::string name = file.native() + std::string(kSetAsideMark) + stamp;
    std::error_code ignored;
    while (std::filesystem::exists(name, ignored)) {
        name += "+";
    }
    return name;
}

void prune_set_aside(const std::filesystem::path& file) {
    std::vector<std::string> names;
    const auto prefix = file.filename().native() + std::string(kSetAsideMark);
    std::error_code error;
    for (std::filesystem::directory_iterator at(file.parent_path(), error), end;
         !error && at != end;
         at.increment(error)) {
        const auto name = at->path().filename().native();
        if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm")) {
            names.push_back(at->path().native());
        }
    }
    std::ranges::sort(names, std::ranges::greater{});  // the stamp sorts by time
    for (std::size_t at = kSetAsideKept; at < names.size(); ++at) {
        remove_files(names[at]);
    }
}

}  // namespace

Result<Opened> open_database(const std::filesystem::path& file) {
    struct stat found{};
    const bool there = ::lstat(file.c_str(), &found) == 0;
    if (there && !S_ISREG(found.st_mode)) {
        return damaged(printable(file.native()) + " is not a regular file");
    }
    const bool made = !there || found.st_size == 0;
    auto opened = prepare(file, static_cast<std::uint64_t>(found.st_size), made);
    if (!opened && made) {
        remove_files(file);  // half a journal would look like a damaged one next time
    }
    return opened;
}

Result<std::string> set_aside(const std::filesystem::path& file, WallTime now) {
    const auto target = set_aside_name(file, now);
    bool moved = false;
    for (const char* suffix : kSuffixes) {
        const auto from = file.native() + suffix;
        if (::rename(from.c_str(), (target + suffix).c_str()) == 0) {
            moved = moved || *suffix == '\0';
        } else if (errno != ENOENT) {
            return fail_errno("set aside " + printable(from));
        }
    }
    prune_set_aside(file);
    const auto folder =
        TRY(open_at(AT_FDCWD, file.parent_path().c_str(), O_RDONLY | O_DIRECTORY), "set aside");
    ::fsync(folder.get());  // where it cannot, the next start simply finds the damaged file again
    return moved ? target : std::string{};
}

Salvage salvage(sqlite::Database& database) {
    Salvage saved;
    const auto each = [&](std::string_view sql, const auto& row) {
        auto statement = database.prepare(sql);
        // As far as it goes: what is behind the damage is lost.
        while (statement && statement->step().value_or(false)) {
            row(*statement);
        }
    };
    using Row = const sqlite::Statement&;
    each("SELECT id, record FROM quarantine",
         [&](Row row) { saved.quarantine.emplace_back(row.text(0), row.text(1)); });
    each("SELECT key, value FROM facts",
         [&](Row row) { saved.values.emplace(row.text(0), row.text(1)); });
    each("SELECT record FROM episodes ORDER BY raised DESC LIMIT 10000",
         [&](Row row) { saved.episodes.push_back(row.text(0)); });
    each("SELECT value FROM meta WHERE key = 'epoch'", [&](Row row) { saved.epoch = row.text(0); });
    std::optional<std::int64_t> slowest;
    each("SELECT sink, sequence FROM positions", [&](Row row) {
        saved.sinks.push_back(row.text(0));
        slowest = std::min(slowest.value_or(row.integer(1)), row.integer(1));
    });
    each("SELECT min(sequence), max(sequence) FROM events", [&](Row row) {
        saved.first = static_cast<std::uint64_t>(row.integer(0));
        saved.last = static_cast<std::uint64_t>(row.integer(1));
    });
    each("SELECT class_uid, count(*) FROM events GROUP BY class_uid", [&](Row row) {
        saved.per_class.emplace_back(row.text(0), static_cast<std::uint64_t>(row.integer(1)));
    });
    if (slowest) {
        each(fmt::format("SELECT count(*) FROM events WHERE sequence > {}", *slowest),
             [&](Row row) { saved.undelivered = static_cast<std::uint64_t>(row.integer(0)); });
    }
    return saved;
}

FileWatch::FileWatch(const std::filesystem::path& file)
    : files_{file, file.native() + "-wal", file.native() + "-shm"} {}

FileWatch::Seen FileWatch::look(const std::filesystem::path& file) noexcept {
    struct stat found{};
    if (::lstat(file.c_str(), &found) < 0) {
        return {};
    }
    return {.device = found.st_dev,
            .inode = found.st_ino,
            .size = static_cast<std::uint64_t>(found.st_size)};
}

void FileWatch::note() noexcept {
    for (std::size_t at = 0; at < files_.size(); ++at) {
        seen_.at(at) = look(files_.at(at));
    }
}

const char* FileWatch::moved() const noexcept {
    for (std::size_t at = 0; at < files_.size(); ++at) {
        const auto& before = seen_.at(at);
        const auto now = look(files_.at(at));
        if (before.inode == 0) {
            continue;
        }
        if (now.inode == 0) {
            return "journal-deleted";
        }
        const bool emptied = at == 0 && now.size == 0;
        if (now.inode != before.inode || now.device != before.device || emptied) {
            return "journal-replaced";
        }
    }
    return nullptr;
}

bool FileWatch::is_elsewhere() const noexcept {
    const auto now = look(files_[0]);
    return seen_[0].inode != 0 && now.inode != 0 && now.device != seen_[0].device;
}

}  // namespace vigia::journal
