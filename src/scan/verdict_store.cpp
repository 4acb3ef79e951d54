// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/verdict_store.h"

#include <utility>

#include "scan/sqlite_file.h"

namespace vigia::scan {
namespace {

constexpr int kApplicationId = 0x56474341;  // "VGCA"
constexpr int kLayout = 1;
constexpr std::size_t kMaxHandle = 128;  // MAX_HANDLE_SZ, linux/exportfs.h
constexpr std::string_view kKillsWorkers = "kills-workers";

constexpr const char* kCreate =
    "CREATE TABLE about(generation BLOB NOT NULL);"
    "INSERT INTO about VALUES (x'');"
    "CREATE TABLE identities(id INTEGER PRIMARY KEY, fs0 INTEGER NOT NULL, fs1 INTEGER NOT NULL,"
    " type INTEGER NOT NULL, handle BLOB NOT NULL, size INTEGER NOT NULL, ctime INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, limit_hit INTEGER NOT NULL, judged INTEGER NOT NULL, text BLOB,"
    " sha256 BLOB, UNIQUE(fs0, fs1, type, handle));"
    "CREATE TABLE contents(id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE,"
    " kind INTEGER NOT NULL, limit_hit INTEGER NOT NULL, judged INTEGER NOT NULL, text BLOB);";

// Columns kind, limit_hit, judged, text from `first` on. Nothing if the row is not one of ours.
std::optional<KeptVerdict> verdict_at(const Statement& row, int first) {
    const auto kind = row.integer_at(first);
    for (const auto known : {VerdictKind::Clean, VerdictKind::Infected, VerdictKind::Unscannable}) {
        if (kind == static_cast<std::int64_t>(known)) {
            return KeptVerdict{.kind = known,
                               .limit_hit = row.integer_at(first + 1) != 0,
                               .size = static_cast<std::uint64_t>(row.integer_at(first + 2)),
                               .text = row.bytes_at(first + 3)};
        }
    }
    return std::nullopt;
}

Result<> load_identities(sqlite3* db, std::size_t limit, const VerdictStore::Reader& reader) {
    auto rows = TRY(Statement::prepare(
        db,
        "SELECT fs0, fs1, type, handle, size, ctime, kind, limit_hit, judged, text, sha256"
        " FROM identities ORDER BY id DESC LIMIT ?"));
    rows.integer(static_cast<std::int64_t>(limit));
    while (TRY(rows.step())) {
        const FileIdentity identity{
            .object = {.fs = {.word0 = static_cast<std::uint32_t>(rows.integer_at(0)),
                              .word1 = static_cast<std::uint32_t>(rows.integer_at(1))},
                       .handle = {.type = static_cast<std::int32_t>(rows.integer_at(2)),
                                  .bytes = rows.bytes_at(3)}},
            .size = static_cast<std::uint64_t>(rows.integer_at(4)),
            .ctime_ns = rows.integer_at(5)};
        auto verdict = verdict_at(rows, 6);
        if (verdict && identity.object.handle.bytes.size() <= kMaxHandle) {
            verdict->sha256 = rows.digest_at(10);
            reader.identity(identity, std::move(*verdict));
        }
    }
    return {};
}

Result<> load_contents(sqlite3* db, std::size_t limit, const VerdictStore::Reader& reader) {
    auto rows = TRY(Statement::prepare(
        db, "SELECT sha256, kind, limit_hit, judged, text FROM contents ORDER BY id DESC LIMIT ?"));
    rows.integer(static_cast<std::int64_t>(limit));
    while (TRY(rows.step())) {
        const auto content = rows.digest_at(0);
        auto verdict = verdict_at(rows, 1);
        if (verdict && content) {
            verdict->sha256 = content;
            reader.content(*content, std::move(*verdict));
        }
    }
    return {};
}

Result<> trim(sqlite3* db, const char* sql, std::size_t limit) {
    auto statement = TRY(Statement::prepare(db, sql));
    return statement.integer(static_cast<std::int64_t>(limit)).done();
}

}  // namespace

std::optional<KeptVerdict> KeptVerdict::of(const Verdict& verdict) {
    KeptVerdict kept{.kind = verdict.kind,
                     .limit_hit = verdict.limit_hit,
                     .size = verdict.size,
                     .sha256 = verdict.sha256};
    switch (verdict.kind) {
        case VerdictKind::Clean:
            return kept;
        case VerdictKind::Infected:
            kept.text = verdict.threat;
            return kept;
        case VerdictKind::Unscannable:
            kept.text = verdict.detail;
            return verdict.reason == kKillsWorkers ? std::optional(kept) : std::nullopt;
        case VerdictKind::Failed:
            return std::nullopt;
    }
    return std::nullopt;
}

Verdict KeptVerdict::as_verdict(VerdictSource source) const {
    const bool infected = kind == VerdictKind::Infected;
    const bool unscannable = kind == VerdictKind::Unscannable;
    return {.kind = kind,
            .source = source,
            .threat = infected ? text : std::string(),
            .reason = unscannable ? std::string(kKillsWorkers) : std::string(),
            .detail = unscannable ? text : std::string(),
            .limit_hit = limit_hit,
            .sha256 = sha256,
            .size = size};
}

// Prepared once: each runs thousands of times in a flush.
struct VerdictStore::Impl {
    Database db;
    Statement put_identity;
    Statement put_content;
    Statement drop_object;
    Statement drop_content;
    Statement drop_fs;
    std::string generation = {};

    static Result<std::unique_ptr<Impl>> prepare(Database db);
};

Result<std::unique_ptr<VerdictStore::Impl>> VerdictStore::Impl::prepare(Database db) {
    const auto statement = [raw = db.get()](const char* sql) {
        return Statement::prepare(raw, sql);
    };
    auto put_identity =
        TRY(statement("INSERT OR REPLACE INTO identities(fs0, fs1, type, handle, size, ctime, kind,"
                      " limit_hit, judged, text, sha256) VALUES (?,?,?,?,?,?,?,?,?,?,?)"));
    auto put_content =
        TRY(statement("INSERT OR REPLACE INTO contents(sha256, kind, limit_hit, judged, text)"
                      " VALUES (?,?,?,?,?)"));
    auto drop_object =
        TRY(statement("DELETE FROM identities WHERE fs0=? AND fs1=? AND type=? AND handle=?"));
    auto drop_content = TRY(statement("DELETE FROM contents WHERE sha256=?"));
    auto drop_fs = TRY(statement("DELETE FROM identities WHERE fs0=? AND fs1=?"));
    return std::make_unique<Impl>(Impl{.db = std::move(db),
                                       .put_identity = std::move(put_identity),
                                       .put_content = std::move(put_content),
                                       .drop_object = std::move(drop_object),
                                       .drop_content = std::move(drop_content),
                                       .drop_fs = std::move(drop_fs)});
}

VerdictStore::VerdictStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

VerdictStore::~VerdictStore() = default;

Result<std::unique_ptr<VerdictStore>> VerdictStore::open(const std::filesystem::path& file) {
    auto db = TRY(open_or_begin_anew(
        file, {.application_id = kApplicationId, .version = kLayout, .create = kCreate}));
    auto impl = TRY(Impl::prepare(std::move(db)));
    auto about = TRY(Statement::prepare(impl->db.get(), "SELECT generation FROM about"));
    if (TRY(about.step())) {
        impl->generation = about.bytes_at(0);
    }
    return std::unique_ptr<VerdictStore>(new VerdictStore(std::move(impl)));
}

const std::string& VerdictStore::generation() const {
    return impl_->generation;
}

Result<> VerdictStore::load(const Limits& limits, const Reader& reader) {
    sqlite3* const db = impl_->db.get();
    TRY(load_identities(db, limits.identities, reader));
    TRY(load_contents(db, limits.contents, reader));
    TRY(trim(db,
             "DELETE FROM identities WHERE id <="
             " (SELECT id FROM identities ORDER BY id DESC LIMIT 1 OFFSET ?)",
             limits.identities));
    return trim(db,
                "DELETE FROM contents WHERE id <="
                " (SELECT id FROM contents ORDER BY id DESC LIMIT 1 OFFSET ?)",
                limits.contents);
}

Result<> VerdictStore::begin() {
    return run(impl_->db.get(), "BEGIN IMMEDIATE");
}

Result<> VerdictStore::wipe(std::string_view new_generation) {
    sqlite3* const db = impl_->db.get();
    TRY(run(db, "DELETE FROM identities"));
    TRY(run(db, "DELETE FROM contents"));
    auto name = TRY(Statement::prepare(db, "UPDATE about SET generation=?"));
    TRY(name.bytes(new_generation).done());
    impl_->generation = new_generation;
    return {};
}

Result<> VerdictStore::put(const FileIdentity& identity, const KeptVerdict& verdict) {
    return impl_->put_identity.integer(identity.object.fs.word0)
        .integer(identity.object.fs.word1)
        .integer(identity.object.handle.type)
        .bytes(identity.object.handle.bytes)
        .integer(static_cast<std::int64_t>(identity.size))
        .integer(identity.ctime_ns)
        .integer(static_cast<std::int64_t>(verdict.kind))
        .integer(verdict.limit_hit ? 1 : 0)
        .integer(static_cast<std::int64_t>(verdict.size))
        .bytes(verdict.text)
        .digest(verdict.sha256)
        .done();
}

Result<> VerdictStore::put(const Sha256& content, const KeptVerdict& verdict) {
    return impl_->put_content.digest(content)
        .integer(static_cast<std::int64_t>(verdict.kind))
        .integer(verdict.limit_hit ? 1 : 0)
        .integer(static_cast<std::int64_t>(verdict.size))
        .bytes(verdict.text)
        .done();
}

Result<> VerdictStore::drop(const ObjectId& object) {
    return impl_->drop_object.integer(object.fs.word0)
        .integer(object.fs.word1)
        .integer(object.handle.type)
        .bytes(object.handle.bytes)
        .done();
}

Result<> VerdictStore::drop(const Sha256& content) {
    return impl_->drop_content.digest(content).done();
}

Result<> VerdictStore::drop(FileSystemId fs) {
    return impl_->drop_fs.integer(fs.word0).integer(fs.word1).done();
}

Result<> VerdictStore::commit() {
    return run(impl_->db.get(), "COMMIT");
}

void VerdictStore::rollback() {
    // Where SQLite has already rolled back by itself this is an error of no consequence.
    [[maybe_unused]] const auto done = run(impl_->db.get(), "ROLLBACK");
}

}  // namespace vigia::scan
