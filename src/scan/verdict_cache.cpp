// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/verdict_cache.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "base/text.h"
#include "scan/sqlite_file.h"
#include "scan/verdict_store.h"
#include "scan/verdict_tables.h"

namespace vigia::scan {
namespace {

// Copied under the lock at a time while flushing: about half a millisecond.
constexpr std::size_t kBatch = 1000;

class Cache final : public VerdictCache {
public:
    Cache(Options options, std::unique_ptr<VerdictStore> store)
        : options_(std::move(options)), store_(std::move(store)), tables_(empty_tables()) {
        if (store_) {
            loader_ = std::jthread([this] { load(); });
        }
    }

    void set_generation(std::string_view generation) override {
        settle();
        auto fresh = empty_tables();
        fresh->set_needs_rewrite();
        const std::scoped_lock lock(mutex_);
        const bool first = epoch_ == 0;
        if (!first && generation == generation_) {
            return;
        }
        ++epoch_;
        generation_ = generation;
        if (!first || generation != stored_generation_) {
            tables_.swap(fresh);  // the old ones are freed after the lock
        }
    }

    [[nodiscard]] Epoch epoch() const override { return epoch_; }

    [[nodiscard]] std::optional<Verdict> find(const FileIdentity& identity) override {
        std::optional<KeptVerdict> found;
        {
            const std::scoped_lock lock(mutex_);
            found = epoch_ == 0 ? std::nullopt : tables_->find(identity);
            ++(found ? counters_.identity_hits : counters_.identity_misses);
        }
        return found ? std::optional(found->as_verdict(VerdictSource::IdentityCache))
                     : std::nullopt;
    }

    [[nodiscard]] std::optional<Verdict> find(const Sha256& content) override {
        std::optional<KeptVerdict> found;
        {
            const std::scoped_lock lock(mutex_);
            found = epoch_ == 0 ? std::nullopt : tables_->find(content);
            ++(found ? counters_.content_hits : counters_.content_misses);
        }
        return found ? std::optional(found->as_verdict(VerdictSource::ContentCache)) : std::nullopt;
    }

    void remember(const FileIdentity& identity,
                  const Verdict& verdict,
                  bool persistent,
                  Epoch learnt_in) override {
        auto kept = KeptVerdict::of(verdict);
        if (!kept || identity.object.handle.bytes.empty()) {
            return;  // without a handle every object of the file system would be the same
        }
        const std::scoped_lock lock(mutex_);
        if (learnt_in != 0 && learnt_in == epoch_) {
            tables_->remember(identity, *std::move(kept), persistent);
        }
    }

    void remember(const Sha256& content, const Verdict& verdict, Epoch learnt_in) override {
        auto kept = KeptVerdict::of(verdict);
        if (!kept) {
            return;
        }
        kept->sha256 = content;
        const std::scoped_lock lock(mutex_);
        if (learnt_in != 0 && learnt_in == epoch_) {
            tables_->remember(content, *std::move(kept));
        }
    }

    void forget(const ObjectId& object) override {
        settle();
        const std::scoped_lock lock(mutex_);
        tables_->forget(object);
    }

    void forget(FileSystemId fs) override {
        settle();
        const std::scoped_lock lock(mutex_);
        tables_->forget(fs);
    }

    [[nodiscard]] Result<> flush() override {
        if (options_.file.empty() || epoch_ == 0) {
            return {};
        }
        const std::scoped_lock writing(file_mutex_);
        auto written = write_differences();
        if (!written && is_damage(written.error())) {
            TRY(drop_file());
            written = write_differences();
        }
        return written;
    }

    [[nodiscard]] Counters counters() const override {
        const std::scoped_lock lock(mutex_);
        Counters now = counters_;
        now.identities = tables_->identities();
        now.contents = tables_->contents();
        return now;
    }

private:
    [[nodiscard]] VerdictStore::Limits limits() const {
        return {.identities = options_.identities, .contents = options_.contents};
    }

    [[nodiscard]] std::unique_ptr<VerdictTables> empty_tables() const {
        return std::make_unique<VerdictTables>(limits(), !options_.file.empty());
    }

    // In loader_, before anybody else uses store_. What cannot be read is begun anew.
    void load() {
        stored_generation_ = store_->generation();
        loaded_ = empty_tables();
        const auto read =
            store_->load(limits(),
                         {.identity =
                              [this](const FileIdentity& identity, KeptVerdict verdict) {
                                  loaded_->add_saved(identity, std::move(verdict));
                              },
                          .content =
                              [this](const Sha256& content, KeptVerdict verdict) {
                                  loaded_->add_saved(content, std::move(verdict));
                              }});
        if (read) {
            return;
        }
        loaded_ = empty_tables();
        loaded_->set_needs_rewrite();
        if (is_damage(read.error())) {
            // If that fails the first flush meets it again, and reports it.
            [[maybe_unused]] const auto dropped = drop_file();
        }
    }

    // From here on what was loaded is in tables_.
    void settle() {
        std::call_once(settled_, [this] {
            if (loader_.joinable()) {
                loader_.join();
                const std::scoped_lock lock(mutex_);
                tables_ = std::move(loaded_);
            }
        });
    }

    [[nodiscard]] Result<> drop_file() {
        store_.reset();
        return set_aside(options_.file);
    }

    struct Work {
        Epoch epoch = 0;
        std::optional<std::string> wipe_for = {};  // the file is of this generation from now on
        Changes removals = {};
    };

    // Nothing: the file is up to date.
    [[nodiscard]] std::optional<Work> begin_work() {
        const std::scoped_lock lock(mutex_);
        const bool wipe = tables_->needs_rewrite() || store_->generation() != generation_;
        if (!wipe && !tables_->has_changes()) {
            return std::nullopt;
        }
        if (wipe) {
            tables_->begin_rewrite();
        }
        return Work{.epoch = epoch_,
                    .wipe_for = wipe ? std::optional(generation_) : std::nullopt,
                    .removals = tables_->take_removals()};
    }

    [[nodiscard]] Result<> write_differences() {
        if (!store_) {
            store_ = TRY(VerdictStore::open(options_.file));
        }
        const auto work = begin_work();
        if (!work) {
            return {};
        }
        auto written = write(*work);
        if (!written) {
            store_->rollback();
            const std::scoped_lock lock(mutex_);
            tables_->set_needs_rewrite();
            return std::unexpected(
                std::move(written).error().within("write " + printable(options_.file.native())));
        }
        return {};
    }

    [[nodiscard]] Result<> write(const Work& work) {
        TRY(store_->begin());
        if (work.wipe_for) {
            TRY(store_->wipe(*work.wipe_for));
        }
        TRY(write_removals(work.removals));
        while (true) {
            VerdictTables::Additions batch;
            {
                const std::scoped_lock lock(mutex_);
                if (epoch_ != work.epoch) {
                    break;  // what follows belongs to another generation than the file says
                }
                batch = tables_->take_additions(kBatch);
            }
            if (batch.identities.empty() && batch.contents.empty()) {
                break;
            }
            TRY(write_additions(batch));
        }
        return store_->commit();
    }

    [[nodiscard]] Result<> write_removals(const Changes& removals) {
        for (const auto& fs : removals.gone_fs) {
            TRY(store_->drop(fs));
        }
        for (const auto& object : removals.gone_objects) {
            TRY(store_->drop(object));
        }
        for (const auto& content : removals.gone_contents) {
            TRY(store_->drop(content));
        }
        return {};
    }

    [[nodiscard]] Result<> write_additions(const VerdictTables::Additions& additions) {
        for (const auto& [identity, verdict] : additions.identities) {
            TRY(store_->put(identity, verdict));
        }
        for (const auto& [content, verdict] : additions.contents) {
            TRY(store_->put(content, verdict));
        }
        return {};
    }

    const Options options_;
    std::mutex file_mutex_;  // guards store_ once settled; taken before mutex_
    std::unique_ptr<VerdictStore> store_;
    mutable std::mutex mutex_;  // guards what follows
    std::unique_ptr<VerdictTables> tables_;
    std::string generation_;
    std::atomic<Epoch> epoch_ = 0;  // written under mutex_; 0: no generation yet
    Counters counters_;

    // Of loader_ alone until it has been joined.
    std::unique_ptr<VerdictTables> loaded_;
    std::string stored_generation_;
    std::once_flag settled_;
    std::jthread loader_;  // last: ends before anything it uses
};

}  // namespace

Result<std::unique_ptr<VerdictCache>> VerdictCache::open(Options options) {
    std::unique_ptr<VerdictStore> store;
    if (!options.file.empty()) {
        store = TRY(VerdictStore::open(options.file));
    }
    return std::make_unique<Cache>(std::move(options), std::move(store));
}

}  // namespace vigia::scan
