// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace vigia::journal::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 2000;  // somebody looks into the file with the sqlite3 shell

int code_of(sqlite3* handle) noexcept {
    const int extended = ::sqlite3_extended_errcode(handle);
    const int system = ::sqlite3_system_errno(handle);
    if (extended == SQLITE_IOERR_CORRUPTFS || extended == SQLITE_READONLY_DBMOVED) {
        return EUCLEAN;
    }
    switch (extended & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_ERROR:       // a table or column is missing
        case SQLITE_CONSTRAINT:  // a number is there already: somebody else has written
        case SQLITE_MISMATCH:
            return EUCLEAN;
        case SQLITE_FULL:
            return ENOSPC;
        case SQLITE_READONLY:
            return EROFS;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return EBUSY;
        case SQLITE_NOMEM:
            return ENOMEM;
        case SQLITE_TOOBIG:
            return EMSGSIZE;
        default:
            return system != 0 ? system : EIO;
    }
}

std::unexpected<Error> failed(sqlite3* handle, std::string_view doing) {
    return std::unexpected(
        Error{.code = {code_of(handle), std::system_category()},
              .context = std::string(doing) + ": SQLite: " + printable(::sqlite3_errmsg(handle))});
}

}  // namespace

bool is_damage(const Error& error) noexcept {
    return error.code.value() == EUCLEAN;
}

bool is_no_space(const Error& error) noexcept {
    return error.code.value() == ENOSPC || error.code.value() == EDQUOT;
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    ::sqlite3_finalize(statement);
}

Statement& Statement::bind(int index, std::int64_t value) noexcept {
    ::sqlite3_bind_int64(statement_.get(), index, value);
    return *this;
}

Statement& Statement::bind(int index, std::string_view text) noexcept {
    // A null pointer would bind NULL.
    const char* data = text.data() == nullptr ? "" : text.data();
    ::sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}

Result<bool> Statement::step() {
    const int code = ::sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code == SQLITE_DONE) {
        reset();
        return false;
    }
    auto error = failed(::sqlite3_db_handle(statement_.get()), "journal");
    reset();
    return error;
}

Result<> Statement::run() {
    while (TRY(step())) {
    }
    return {};
}

void Statement::reset() noexcept {
    ::sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const noexcept {
    return ::sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
    const auto* bytes = static_cast<const char*>(::sqlite3_column_blob(statement_.get(), column));
    const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(statement_.get(), column));
    return bytes == nullptr ? std::string{} : std::string(bytes, size);
}

void Database::Close::operator()(sqlite3* handle) const noexcept {
    ::sqlite3_close_v2(handle);
}

Result<Database> Database::open_or_make(const std::filesystem::path& file) {
    // SQLite would make it 0644. Never opened directly once a connection exists: closing any
    // descriptor of the file would drop the process's POSIX locks on it.
    if (::access(file.c_str(), F_OK) != 0) {
        TRY(open_at(AT_FDCWD, file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    }
    return open(file);
}

Result<Database> Database::open(const std::filesystem::path& file) {
    if (::access(file.c_str(), F_OK) != 0) {
        return fail_errno("open " + printable(file.native()));
    }
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = ::sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
    Database database(raw);
    if (raw == nullptr) {
        return fail(std::errc::not_enough_memory, "open " + printable(file.native()));
    }
    if (code != SQLITE_OK) {
        return failed(raw, "open " + printable(file.native()));
    }
    ::sqlite3_busy_timeout(raw, kBusyTimeoutMs);
    ::sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    ::sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    ::sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return database;
}

Result<> Database::execute(const char* sql) {
    if (::sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failed(handle_.get(), "journal");
    }
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = ::sqlite3_prepare_v3(handle_.get(),
                                          sql.data(),
                                          static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT,
                                          &raw,
                                          nullptr);
    if (code != SQLITE_OK) {
        return failed(handle_.get(), "journal");
    }
    return Statement(raw);
}

Result<std::int64_t> Database::integer(std::string_view sql) {
    auto statement = TRY(prepare(sql));
    return TRY(statement.step()) ? statement.integer(0) : 0;
}

Result<std::string> Database::text(std::string_view sql) {
    auto statement = TRY(prepare(sql));
    return TRY(statement.step()) ? statement.text(0) : std::string{};
}

bool Database::in_transaction() const noexcept {
    return ::sqlite3_get_autocommit(handle_.get()) == 0;
}

void Database::checkpoint() noexcept {
    ::sqlite3_wal_checkpoint_v2(
        handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

void Database::finish() noexcept {
    ::sqlite3_wal_checkpoint_v2(
        handle_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

}  // namespace vigia::journal::sqlite
