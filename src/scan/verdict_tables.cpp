// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/verdict_tables.h"

namespace vigia::scan {
namespace {

// File systems that went since the last flush; more is no list any more but a rewrite.
constexpr std::size_t kMaxGoneFs = 1024;
// Names of changed entries that may be stale, beyond one for each entry.
constexpr std::size_t kSlack = 1000;

}  // namespace

VerdictTables::VerdictTables(VerdictStore::Limits limits, bool has_file)
    : limits_(limits), has_file_(has_file) {}

std::optional<KeptVerdict> VerdictTables::find(const FileIdentity& identity) {
    const Identity* entry = identities_.find(identity.object);
    if (entry == nullptr || entry->volume->gone || entry->size != identity.size ||
        entry->ctime_ns != identity.ctime_ns) {
        return std::nullopt;
    }
    return entry->verdict;
}

std::optional<KeptVerdict> VerdictTables::find(const Sha256& content) {
    const Content* entry = contents_.find(content);
    return entry == nullptr ? std::nullopt : std::optional(entry->verdict);
}

VerdictTables::Volume& VerdictTables::volume_of(FileSystemId fs) {
    auto& volume = volumes_[fs];
    if (!volume) {
        volume = std::make_unique<Volume>(Volume{.fs = fs});
    }
    return *volume;
}

void VerdictTables::leave(Volume& volume) {
    --volume.entries;
    if (volume.gone) {
        --gone_entries_;
    }
    if (volume.entries > 0) {
        return;
    }
    if (volume.gone) {
        gone_volumes_.erase(&volume);
    } else {
        const FileSystemId fs = volume.fs;
        volumes_.erase(fs);
    }
}

void VerdictTables::removed(const ObjectId& object, const Identity& entry) {
    // The rows of a volume that went are deleted all at once.
    if (entry.saved && !entry.volume->gone) {
        changes_.gone_objects.push_back(object);  // bounded: each was a row of the file
    }
    leave(*entry.volume);
}

void VerdictTables::remember(const FileIdentity& identity, KeptVerdict verdict, bool persistent) {
    if (limits_.identities == 0) {
        return;
    }
    Volume& volume = volume_of(identity.object.fs);
    ++volume.entries;
    Identity& entry = identities_.get(identity.object);
    if (entry.volume != nullptr) {
        if (entry.saved && !persistent && !entry.volume->gone) {
            changes_.gone_objects.push_back(identity.object);
        }
        // Rows of a volume that went are already on the list of removals.
        entry.saved = entry.saved && persistent && !entry.volume->gone;
        leave(*entry.volume);
    }
    entry.size = identity.size;
    entry.ctime_ns = identity.ctime_ns;
    entry.volume = &volume;
    entry.persistent = persistent;
    entry.verdict = std::move(verdict);
    if (persistent) {
        mark_dirty(identity.object, entry);
    }
    evict();
}

void VerdictTables::remember(const Sha256& content, KeptVerdict verdict) {
    if (limits_.contents == 0) {
        return;
    }
    Content& entry = contents_.get(content);
    entry.verdict = std::move(verdict);
    mark_dirty(content, entry);
    evict();
}

void VerdictTables::add_saved(const FileIdentity& identity, KeptVerdict verdict) {
    Identity* entry = identities_.add_oldest(identity.object);
    if (entry == nullptr) {
        return;
    }
    Volume& volume = volume_of(identity.object.fs);
    ++volume.entries;
    *entry = {.size = identity.size,
              .ctime_ns = identity.ctime_ns,
              .volume = &volume,
              .persistent = true,
              .saved = true,
              .verdict = std::move(verdict)};
}

void VerdictTables::add_saved(const Sha256& content, KeptVerdict verdict) {
    Content* entry = contents_.add_oldest(content);
    if (entry != nullptr) {
        *entry = {.saved = true, .verdict = std::move(verdict)};
    }
}

void VerdictTables::forget(const ObjectId& object) {
    if (const Identity* entry = identities_.peek(object)) {
        removed(object, *entry);
        identities_.erase(object);
    }
}

void VerdictTables::forget(FileSystemId fs) {
    if (has_file_) {
        changes_.gone_fs.insert(fs);
        if (changes_.gone_fs.size() > kMaxGoneFs) {
            set_needs_rewrite();
        }
    }
    const auto found = volumes_.find(fs);
    if (found == volumes_.end()) {
        return;
    }
    Volume* volume = found->second.get();
    volume->gone = true;
    gone_entries_ += volume->entries;
    gone_volumes_.emplace(volume, std::move(found->second));
    volumes_.erase(found);
}

std::size_t VerdictTables::identities() const {
    return identities_.size() - gone_entries_;
}

void VerdictTables::evict() {
    while (identities_.size() > limits_.identities) {
        if (const auto oldest = identities_.pop_oldest()) {
            removed(oldest->first, oldest->second);
        }
    }
    while (contents_.size() > limits_.contents) {
        const auto oldest = contents_.pop_oldest();
        if (oldest && oldest->second.saved) {
            changes_.gone_contents.push_back(oldest->first);
        }
    }
}

void VerdictTables::mark_dirty(const ObjectId& object, Identity& entry) {
    if (!has_file_ || entry.dirty || needs_rewrite_) {
        return;
    }
    entry.dirty = true;
    dirty_objects_.push_back(object);
    if (dirty_objects_.size() > limits_.identities + kSlack) {
        set_needs_rewrite();
    }
}

void VerdictTables::mark_dirty(const Sha256& content, Content& entry) {
    if (!has_file_ || entry.dirty || needs_rewrite_) {
        return;
    }
    entry.dirty = true;
    dirty_contents_.push_back(content);
    if (dirty_contents_.size() > limits_.contents + kSlack) {
        set_needs_rewrite();
    }
}

bool VerdictTables::has_changes() const {
    return needs_rewrite_ || !changes_.gone_fs.empty() || !changes_.gone_objects.empty() ||
           !changes_.gone_contents.empty() || !dirty_objects_.empty() || !dirty_contents_.empty();
}

Changes VerdictTables::take_removals() {
    return std::exchange(changes_, {});
}

VerdictTables::Additions VerdictTables::take_additions(std::size_t limit) {
    Additions taken;
    while (!dirty_objects_.empty() && taken.identities.size() < limit) {
        const ObjectId object = std::move(dirty_objects_.front());
        dirty_objects_.pop_front();
        Identity* entry = identities_.peek(object);
        if (entry == nullptr || !entry->dirty) {
            continue;
        }
        entry->dirty = false;
        if (!entry->persistent || entry->volume->gone) {
            continue;
        }
        entry->saved = true;
        taken.identities.emplace_back(
            FileIdentity{.object = object, .size = entry->size, .ctime_ns = entry->ctime_ns},
            entry->verdict);
    }
    while (!dirty_contents_.empty() && taken.contents.size() < limit) {
        const Sha256 content = dirty_contents_.front();
        dirty_contents_.pop_front();
        Content* entry = contents_.peek(content);
        if (entry != nullptr && entry->dirty) {
            entry->dirty = false;
            entry->saved = true;
            taken.contents.emplace_back(content, entry->verdict);
        }
    }
    return taken;
}

void VerdictTables::set_needs_rewrite() {
    needs_rewrite_ = true;
    changes_ = {};
    dirty_objects_ = {};
    dirty_contents_ = {};
}

void VerdictTables::begin_rewrite() {
    needs_rewrite_ = false;
    changes_ = {};
    dirty_objects_ = {};
    dirty_contents_ = {};
    identities_.for_each([this](const ObjectId& object, Identity& entry) {
        entry.saved = false;
        entry.dirty = false;
        if (entry.persistent && !entry.volume->gone) {
            mark_dirty(object, entry);
        }
    });
    contents_.for_each([this](const Sha256& content, Content& entry) {
        entry.saved = false;
        entry.dirty = false;
        mark_dirty(content, entry);
    });
}

}  // namespace vigia::scan
