// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/sha256.h"

struct sqlite3;
struct sqlite3_stmt;

// The seam to SQLite for the verdict cache: a file that may be thrown away. Not thread-safe.
namespace vigia::scan {

struct CloseDatabase {
    void operator()(sqlite3* db) const noexcept;
};

struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const noexcept;
};

using Database = std::unique_ptr<sqlite3, CloseDatabase>;

struct DatabaseLayout {
    std::int32_t application_id = 0;  // PRAGMA application_id: whose file it is
    std::int32_t version = 0;         // PRAGMA user_version
    const char* create = nullptr;     // SQL that makes the tables
};

// Opens or makes it (0600), in WAL mode, held exclusively. A file that is damaged, foreign or of
// another layout is renamed to <name>.damaged-N (N = 1 … 9, then 9 is replaced) and a new one
// begun.
[[nodiscard]] Result<Database> open_or_begin_anew(const std::filesystem::path& path,
                                                  const DatabaseLayout& layout);

// The error says that the file is no database (any more). Pages are checked only as they are read,
// so it may come from any statement; then the file has to be closed and set aside before it is
// opened.
[[nodiscard]] bool is_damage(const Error& error);
[[nodiscard]] Result<> set_aside(const std::filesystem::path& path);

[[nodiscard]] Result<> run(sqlite3* db, const char* sql);

// A prepared statement: values are bound in order, columns are read by number.
class Statement {
public:
    [[nodiscard]] static Result<Statement> prepare(sqlite3* db, const char* sql);

    // What is bound must live until the statement has run.
    Statement& integer(std::int64_t value);
    Statement& bytes(std::string_view value);
    Statement& digest(const std::optional<Sha256>& value);

    // True: a row can be read. False: done, and ready for the next values.
    [[nodiscard]] Result<bool> step();
    [[nodiscard]] Result<> done();  // step of a statement that gives no rows

    [[nodiscard]] std::int64_t integer_at(int column) const;
    [[nodiscard]] std::string bytes_at(int column) const;
    [[nodiscard]] std::optional<Sha256> digest_at(int column) const;  // nothing unless 32 bytes

private:
    Statement() = default;

    std::unique_ptr<sqlite3_stmt, FinalizeStatement> handle_;
    int bound_ = 0;
};

}  // namespace vigia::scan
