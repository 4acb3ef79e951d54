// SPDX-License-Identifier: GPL-2.0-or-later
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "journal/inbox.h"
#include "journal/journal.h"
#include "journal/positions.h"
#include "journal/reader.h"
#include "journal/sqlite.h"
#include "journal/writer.h"

namespace vigia::journal {
namespace {

constexpr std::chrono::seconds kCommitTimeout{30};
constexpr std::chrono::seconds kRetentionTimeout{120};
constexpr std::chrono::milliseconds kStopTime{1500};  // the daemon ends within 2 s

class SqliteJournal final : public Journal {
public:
    explicit SqliteJournal(const Options& options)
        : reader_(options.file),
          inbox_({.group = options.group}),
          writer_(options, reader_, positions_) {}

    SqliteJournal(const SqliteJournal&) = delete;
    SqliteJournal& operator=(const SqliteJournal&) = delete;

    ~SqliteJournal() override {
        inbox_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    Result<> start() {
        TRY(writer_.open());
        state_ = writer_.state();
        // The one thread that writes: group commit needs somebody who gathers.
        thread_ = std::thread([this] { run(); });
        return {};
    }

    Result<std::vector<StoredEvent>> commit(Change change) override {
        return inbox_.submit({.wish = Wish::Write, .change = std::move(change)}, kCommitTimeout);
    }

    void append(Event event) override { inbox_.append(std::move(event)); }

    Result<std::vector<StoredEvent>> read(const Query& query) const override {
        return watched([&] { return reader_.events(query); });
    }

    Result<std::vector<QuarantineItem>> quarantine() const override {
        return watched([&] { return reader_.quarantine(); });
    }

    Result<std::optional<QuarantineItem>> quarantine(const std::string& id) const override {
        return watched([&] { return reader_.quarantine(id); });
    }

    Result<std::vector<Episode>> episodes(bool open_only, std::size_t limit) const override {
        return watched([&] { return reader_.episodes(open_only, limit); });
    }

    std::optional<std::string> value(const std::string& key) const override {
        return watched([&] { return reader_.value(key); }).value_or(std::nullopt);
    }

    std::uint64_t position(const std::string& sink) const override { return positions_.of(sink); }

    Result<> acknowledge(const std::string& sink,
                         std::uint64_t sequence,
                         const std::string& epoch) override {
        return positions_.acknowledge(sink, sequence, epoch);
    }

    void forget(const std::string& sink) override { positions_.forget(sink); }

    void on_commit(std::function<void(std::uint64_t)> callback) override {
        const std::scoped_lock lock(callbacks_mutex_);
        if (callback) {
            callbacks_.push_back(std::move(callback));
        } else {
            callbacks_.clear();
        }
    }

    Result<> enforce_retention() override {
        TRY(inbox_.submit({.wish = Wish::Retention}, kRetentionTimeout));
        return {};
    }

    Result<> begin_epoch(const std::string& why) override {
        TRY(inbox_.submit({.wish = Wish::NewEpoch, .why = why}, kCommitTimeout));
        return {};
    }

    State state() const override {
        const auto telemetry = inbox_.waiting();
        const auto dropped = inbox_.dropped();
        const std::scoped_lock lock(state_mutex_);
        auto state = state_;
        state.waiting += telemetry;
        state.lost += dropped;
        return state;
    }

private:
    // Damage that a reader meets is the writer's business at once.
    template <typename Read>
    std::invoke_result_t<Read> watched(const Read& read) const {
        const auto epoch = state().epoch;
        auto result = read();
        if (!result && sqlite::is_damage(result.error())) {
            inbox_.notify({.wish = Wish::NewEpoch, .why = "journal-damaged", .epoch = epoch});
        }
        return result;
    }

    void run() {
        std::optional<BootTime> until;
        bool stop = false;
        while (!stop) {
            auto batch = inbox_.take(writer_.patience());
            stop = batch.stop;
            if (batch.stopping && !until) {
                until = BootClock::now() + kStopTime;
            }
            if (!stop && until && BootClock::now() > *until) {
                writer_.abandon();  // the next start says that telemetry may be missing
                return;
            }
            auto answers = writer_.process(std::move(batch));
            publish();
            for (auto& answer : answers) {
                inbox_.answer(answer.ticket, std::move(answer.result));
            }
        }
        writer_.finish();
    }

    // Before the callers are answered: what they have committed must be in the state they then see.
    void publish() {
        auto state = writer_.state();
        bool news = false;
        {
            const std::scoped_lock lock(state_mutex_);
            news = state.last != state_.last || state.epoch != state_.epoch;
            state_ = state;
        }
        if (news) {
            const std::scoped_lock lock(callbacks_mutex_);
            for (const auto& callback : callbacks_) {
                callback(state.last);
            }
        }
    }

    Positions positions_;
    mutable Reader reader_;
    mutable Inbox inbox_;
    Writer writer_;  // only the thread's once it runs
    mutable std::mutex state_mutex_;
    State state_;  // guarded by state_mutex_
    std::mutex callbacks_mutex_;
    std::vector<std::function<void(std::uint64_t)>> callbacks_;  // guarded by callbacks_mutex_
    std::thread thread_;
};

}  // namespace

// NOLINTNEXTLINE(performance-unnecessary-value-param): as those who open other things do it
Result<std::unique_ptr<Journal>> Journal::open(Options options) {
    auto journal = std::make_unique<SqliteJournal>(options);
    TRY(journal->start(), "open journal");
    return journal;
}

}  // namespace vigia::journal
