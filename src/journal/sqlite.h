// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

// The seam to SQLite: its handles as owners, its results as Error. Nothing here locks: a connection
// and its statements belong to one thread at a time.
//
// Codes: ENOSPC (SQLITE_FULL), EROFS, EBUSY, the system's own errno where SQLite met one, EUCLEAN
// for a file that is damaged, no database, or not the one that we wrote (a table is missing).
namespace vigia::journal::sqlite {

[[nodiscard]] bool is_damage(const Error& error) noexcept;
[[nodiscard]] bool is_no_space(const Error& error) noexcept;

class Statement {
public:
    Statement() = default;

    // Parameters count from 1. Text is not copied: it must live until run() or reset().
    Statement& bind(int index, std::int64_t value) noexcept;
    Statement& bind(int index, std::string_view text) noexcept;

    // True: a row is there. After an error or false the statement has been reset.
    [[nodiscard]] Result<bool> step();

    // To the end, ignoring rows; reset afterwards.
    [[nodiscard]] Result<> run();

    void reset() noexcept;

    // Columns count from 0.
    [[nodiscard]] std::int64_t integer(int column) const noexcept;
    [[nodiscard]] std::string text(int column) const;

private:
    friend class Database;

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };

    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// A connection. Closing it never checkpoints: that would delete a `-wal` by its name, and the name
// may belong to the next journal by then. Whoever stops cleanly calls checkpoint() first.
class Database {
public:
    // ENOENT when the file is not there.
    [[nodiscard]] static Result<Database> open(const std::filesystem::path& file);

    // Makes the file (0600) if it is not there.
    [[nodiscard]] static Result<Database> open_or_make(const std::filesystem::path& file);

    // Several statements, without parameters or rows.
    [[nodiscard]] Result<> execute(const char* sql);

    // One statement that is kept and used again; must not outlive the connection.
    [[nodiscard]] Result<Statement> prepare(std::string_view sql);

    // The first column of the first row; 0 and "" when there is none.
    [[nodiscard]] Result<std::int64_t> integer(std::string_view sql);
    [[nodiscard]] Result<std::string> text(std::string_view sql);

    [[nodiscard]] bool in_transaction() const noexcept;

    // Moves what the WAL holds into the file as far as readers let it.
    void checkpoint() noexcept;

    // The same, waiting for readers (2 s), and empties the WAL: for a clean stop.
    void finish() noexcept;

private:
    struct Close {
        void operator()(sqlite3* handle) const noexcept;
    };

    explicit Database(sqlite3* handle) : handle_(handle) {}

    std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace vigia::journal::sqlite
