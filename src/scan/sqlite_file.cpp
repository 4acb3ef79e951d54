// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/sqlite_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <span>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace vigia::scan {
namespace {

constexpr int kBusyMilliseconds = 500;

std::errc meaning_of(int code) {
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return std::errc::bad_message;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return std::errc::device_or_resource_busy;
        case SQLITE_FULL:
            return std::errc::no_space_on_device;
        case SQLITE_NOMEM:
            return std::errc::not_enough_memory;
        case SQLITE_READONLY:
            return std::errc::read_only_file_system;
        default:  // an enumeration of SQLite's, not ours: whatever else it has is input/output
            return std::errc::io_error;
    }
}

std::unexpected<Error> failed(sqlite3* db) {
    return fail(meaning_of(::sqlite3_extended_errcode(db)), ::sqlite3_errmsg(db));
}

Result<std::int64_t> number(sqlite3* db, const char* sql) {
    auto statement = TRY(Statement::prepare(db, sql));
    return TRY(statement.step()) ? statement.integer_at(0) : 0;
}

// SQLite would follow a link, create with the umask's mode, and wait for ever on a FIFO.
Result<> prepare_file(const std::filesystem::path& path) {
    const auto file =
        open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (!file) {
        const int code = file.error().code.value();
        if (code == ELOOP || code == EISDIR || code == ENXIO) {
            return fail(std::errc::bad_message, "not a regular file");
        }
        return std::unexpected(file.error());
    }
    struct stat info{};
    if (::fstat(file->get(), &info) < 0) {
        return fail_errno("stat");
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(std::errc::bad_message, "not a regular file");
    }
    return {};
}

Result<> check_layout(sqlite3* db, const DatabaseLayout& layout) {
    if (TRY(number(db, "PRAGMA application_id")) != layout.application_id ||
        TRY(number(db, "PRAGMA user_version")) != layout.version) {
        return fail(std::errc::bad_message, "another program's file, or of another version");
    }
    return {};
}

Result<> create_tables(sqlite3* db, const DatabaseLayout& layout) {
    return run(db,
               fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id={}; PRAGMA user_version={};"
                           "COMMIT",
                           layout.create,
                           layout.application_id,
                           layout.version)
                   .c_str());
}

Result<> check_or_create(sqlite3* db, const DatabaseLayout& layout) {
    // The lock is taken here and kept: two daemons on one cache would undo each other's deletions.
    TRY(run(db, "PRAGMA locking_mode=EXCLUSIVE"));
    const bool fresh = TRY(number(db, "SELECT count(*) FROM sqlite_master")) == 0;
    if (!fresh) {
        TRY(check_layout(db, layout));
    }
    TRY(run(db,
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
            "PRAGMA journal_size_limit=16777216"));
    // An empty transaction takes the lock for writing too.
    return fresh ? create_tables(db, layout) : run(db, "BEGIN IMMEDIATE; COMMIT");
}

Result<Database> open_database(const std::filesystem::path& path, const DatabaseLayout& layout) {
    TRY(prepare_file(path));
    sqlite3* raw = nullptr;
    constexpr int kFlags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    const int code = ::sqlite3_open_v2(path.c_str(), &raw, kFlags, nullptr);
    Database db(raw);
    if (code != SQLITE_OK) {
        return fail(meaning_of(code), ::sqlite3_errstr(code));
    }
    ::sqlite3_busy_timeout(db.get(), kBusyMilliseconds);
    TRY(check_or_create(db.get(), layout));
    return db;
}

}  // namespace

void CloseDatabase::operator()(sqlite3* db) const noexcept {
    ::sqlite3_close(db);
}

void FinalizeStatement::operator()(sqlite3_stmt* statement) const noexcept {
    ::sqlite3_finalize(statement);
}

Result<Database> open_or_begin_anew(const std::filesystem::path& path,
                                    const DatabaseLayout& layout) {
    const std::string doing = "open " + printable(path.native());
    auto db = open_database(path, layout);
    if (!db && is_damage(db.error())) {
        TRY(set_aside(path), doing);
        db = open_database(path, layout);
    }
    return TRY(std::move(db), doing);
}

Result<> set_aside(const std::filesystem::path& path) {
    constexpr int kKept = 9;
    for (int number = 1; number <= kKept; ++number) {
        const auto target = fmt::format("{}.damaged-{}", path.native(), number);
        const unsigned flags = number < kKept ? RENAME_NOREPLACE : 0;
        if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, target.c_str(), flags) == 0) {
            break;
        }
        if (errno != EEXIST || number == kKept) {
            return fail_errno("set aside");
        }
    }
    for (const char* suffix : {"-wal", "-shm", "-journal"}) {
        (void)::unlink((path.native() + suffix).c_str());  // mostly not there
    }
    return {};
}

bool is_damage(const Error& error) {
    return error.code == std::errc::bad_message;
}

Result<> run(sqlite3* db, const char* sql) {
    if (::sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failed(db);
    }
    return {};
}

Result<Statement> Statement::prepare(sqlite3* db, const char* sql) {
    sqlite3_stmt* raw = nullptr;
    if (::sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
        return failed(db);
    }
    Statement made;
    made.handle_.reset(raw);
    return made;
}

Statement& Statement::integer(std::int64_t value) {
    ::sqlite3_bind_int64(handle_.get(), ++bound_, value);
    return *this;
}

Statement& Statement::bytes(std::string_view value) {
    // A null pointer would bind NULL, which an empty name is not.
    const char* data = value.empty() ? "" : value.data();
    ::sqlite3_bind_blob64(handle_.get(), ++bound_, data, value.size(), SQLITE_STATIC);
    return *this;
}

Statement& Statement::digest(const std::optional<Sha256>& value) {
    ++bound_;
    if (value) {
        ::sqlite3_bind_blob64(
            handle_.get(), bound_, value->bytes.data(), value->bytes.size(), SQLITE_STATIC);
    }
    return *this;  // what is not bound is NULL
}

Result<bool> Statement::step() {
    const int code = ::sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) {
        return true;
    }
    Result<bool> result = false;
    if (code != SQLITE_DONE) {
        result = failed(::sqlite3_db_handle(handle_.get()));
    }
    ::sqlite3_reset(handle_.get());
    ::sqlite3_clear_bindings(handle_.get());
    bound_ = 0;
    return result;
}

Result<> Statement::done() {
    auto row = step();
    return row ? Result<>{} : std::unexpected(std::move(row).error());
}

std::int64_t Statement::integer_at(int column) const {
    return ::sqlite3_column_int64(handle_.get(), column);
}

std::string Statement::bytes_at(int column) const {
    const void* data = ::sqlite3_column_blob(handle_.get(), column);
    const int size = ::sqlite3_column_bytes(handle_.get(), column);
    return data == nullptr
               ? std::string()
               : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::optional<Sha256> Statement::digest_at(int column) const {
    const std::string raw = bytes_at(column);
    Sha256 digest;
    if (raw.size() != digest.bytes.size()) {
        return std::nullopt;
    }
    std::ranges::copy(std::as_bytes(std::span(raw)), digest.bytes.begin());
    return digest;
}

}  // namespace vigia::scan
