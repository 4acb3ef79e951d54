// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/journal.h"
#include "journal/sqlite.h"

namespace vigia::journal {

// The reading connection: sees what has been committed, never waits for the writer, and one caller
// at a time. Thread-safe. Opened at the first question; while the writer changes the file it is
// kept closed and answers ENODATA. EUCLEAN means that it met damage.
class Reader {
public:
    explicit Reader(std::filesystem::path file) : file_(std::move(file)) {}

    // The writer's: nothing is open when close() returns, and nothing opens before allow().
    void close();
    void allow();

    [[nodiscard]] Result<std::vector<StoredEvent>> events(const Query& query);
    [[nodiscard]] Result<std::vector<QuarantineItem>> quarantine();
    [[nodiscard]] Result<std::optional<QuarantineItem>> quarantine(const std::string& id);
    [[nodiscard]] Result<std::vector<Episode>> episodes(bool open_only, std::size_t limit);
    [[nodiscard]] Result<std::optional<std::string>> value(const std::string& key);

private:
    struct Open {
        sqlite::Database database;
        std::string epoch;
    };

    [[nodiscard]] Result<> ensure_open();

    const std::filesystem::path file_;
    std::mutex mutex_;  // guards everything below
    std::optional<Open> open_;
    bool allowed_ = false;
};

}  // namespace vigia::journal
