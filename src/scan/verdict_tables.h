// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "model/file_identity.h"
#include "model/sha256.h"
#include "scan/lru_map.h"
#include "scan/verdict_store.h"

namespace vigia::scan {

// What of the tables the file does not know yet. Removals are applied first, then the additions.
struct Changes {
    std::set<FileSystemId> gone_fs = {};
    std::vector<ObjectId> gone_objects = {};
    std::vector<Sha256> gone_contents = {};
};

// The two tables in memory and the list of their differences to the file. One entry per object: its
// latest state, an older one never comes back. Unmounting is O(1): the volume is marked, its
// entries are not found any more and are dropped as they grow old. Not thread-safe.
class VerdictTables {
public:
    VerdictTables(VerdictStore::Limits limits, bool has_file);

    [[nodiscard]] std::optional<KeptVerdict> find(const FileIdentity& identity);
    [[nodiscard]] std::optional<KeptVerdict> find(const Sha256& content);

    void remember(const FileIdentity& identity, KeptVerdict verdict, bool persistent);
    void remember(const Sha256& content, KeptVerdict verdict);

    // Read from the file, newest first: what is there already is newer.
    void add_saved(const FileIdentity& identity, KeptVerdict verdict);
    void add_saved(const Sha256& content, KeptVerdict verdict);

    void forget(const ObjectId& object);
    void forget(FileSystemId fs);

    [[nodiscard]] std::size_t identities() const;

    [[nodiscard]] std::size_t contents() const { return contents_.size(); }

    [[nodiscard]] bool has_changes() const;
    [[nodiscard]] Changes take_removals();

    struct Additions {
        std::vector<std::pair<FileIdentity, KeptVerdict>> identities = {};
        std::vector<std::pair<Sha256, KeptVerdict>> contents = {};
    };

    // Up to `limit` of the entries to add to the file, oldest first; from now on they count as
    // saved.
    [[nodiscard]] Additions take_additions(std::size_t limit);

    // The differences became too many to list, or the file was lost: everything has to be written
    // again after wiping it.
    [[nodiscard]] bool needs_rewrite() const { return needs_rewrite_; }

    void set_needs_rewrite();
    void begin_rewrite();

private:
    struct Volume {
        FileSystemId fs;
        std::size_t entries = 0;
        bool gone = false;
    };

    struct Identity {
        std::uint64_t size = 0;
        std::int64_t ctime_ns = 0;
        Volume* volume = nullptr;
        bool persistent = false;
        bool saved = false;
        bool dirty = false;
        KeptVerdict verdict;
    };

    struct Content {
        bool saved = false;
        bool dirty = false;
        KeptVerdict verdict;
    };

    Volume& volume_of(FileSystemId fs);
    void leave(Volume& volume);
    void removed(const ObjectId& object, const Identity& entry);
    void evict();
    void mark_dirty(const ObjectId& object, Identity& entry);
    void mark_dirty(const Sha256& content, Content& entry);

    const VerdictStore::Limits limits_;
    const bool has_file_;
    LruMap<ObjectId, Identity> identities_;
    LruMap<Sha256, Content> contents_;
    std::map<FileSystemId, std::unique_ptr<Volume>> volumes_;
    std::map<Volume*, std::unique_ptr<Volume>> gone_volumes_;  // until their last entry is dropped
    std::size_t gone_entries_ = 0;
    Changes changes_;
    std::deque<ObjectId> dirty_objects_;  // may name entries that are gone or clean again
    std::deque<Sha256> dirty_contents_;
    bool needs_rewrite_ = false;
};

}  // namespace vigia::scan
