// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/quarantine.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/uuid.h"
#include "response/metadata.h"
#include "response/object.h"
#include "response/removal.h"
#include "response/steps.h"
#include "response/vault.h"
#include "response/work.h"

namespace vigia::response {
namespace {

struct Refusal {
    Outcome outcome = Outcome::Failed;
    std::string detail;
};

// What can be said before anything is stored or recorded.
std::optional<Refusal> refuse(const Target& target) {
    const auto info = stat_of(target.file);
    if (!info) {
        return Refusal{Outcome::Failed, info.error().message()};
    }
    if (!S_ISREG(info->st_mode)) {
        return Refusal{Outcome::Failed, "not a regular file"};
    }
    if (static_cast<std::uint64_t>(info->st_size) != target.identity.size) {
        return Refusal{Outcome::ChangedMeanwhile, "its size has changed since it was scanned"};
    }
    const auto& wanted = target.identity.object.handle;
    const auto handle = handle_of(target.file);
    if (target.has_identity && handle && handle->type == wanted.type &&
        handle->bytes != wanted.bytes) {
        return Refusal{Outcome::ChangedMeanwhile, "it is another file than the one scanned"};
    }
    if (info->st_nlink > 0 && is_on_read_only_mount(target.file)) {
        return Refusal{Outcome::ReadOnly, "its file system is mounted read-only"};
    }
    if (info->st_nlink > 0 && is_protected_by_flags(target.file)) {
        return Refusal{Outcome::Immutable, "it is immutable or append-only (see chattr)"};
    }
    return std::nullopt;
}

class FileQuarantine final : public Quarantine {
public:
    FileQuarantine(std::unique_ptr<Vault> vault, Options options, Hooks hooks)
        : vault_(std::move(vault)), options_(std::move(options)), hooks_(std::move(hooks)) {}

    [[nodiscard]] Report put_away(const Target& target, WallTime now) override;

    [[nodiscard]] std::vector<Report> recover(const std::vector<QuarantineItem>& items) override {
        std::vector<Report> reports;
        std::ranges::transform(items, std::back_inserter(reports), [this](const auto& item) {
            return recover_item(work(), item);
        });
        return reports;
    }

    [[nodiscard]] Result<std::string> restore(const QuarantineItem& item,
                                              const std::string& to) override {
        return restore_item(work(), item, to);
    }

    [[nodiscard]] Result<> remove(const QuarantineItem& item) override {
        return vault_->remove(item.id);
    }

    [[nodiscard]] bool holds(const QuarantineItem& item) const override {
        return vault_->holds(item.id);
    }

    [[nodiscard]] std::vector<QuarantineItem> orphans(
        const std::vector<std::string>& known_ids) const override;

    [[nodiscard]] std::uint64_t used_bytes() const override { return vault_->used_bytes(); }

private:
    [[nodiscard]] Work work() const {
        return {.vault = *vault_, .options = options_, .hooks = hooks_};
    }

    [[nodiscard]] Report store(Report report, const Target& target);

    std::unique_ptr<Vault> vault_;
    Options options_;
    Hooks hooks_;
};

Report stop(Report report, Outcome outcome, std::string detail) {
    report.outcome = outcome;
    report.detail = std::move(detail);
    report.item.outcome = to_string(outcome);
    return report;
}

Report FileQuarantine::put_away(const Target& target, WallTime now) {
    Report report;
    auto& item = report.item;
    item.id = Uuid::random().text;
    item.sha256 = target.sha256;
    item.threat = target.threat;
    item.detection_uid = target.detection_uid;
    item.quarantined_at = now;
    item.path = current_path(target.file, target.path_hint);
    if (auto refusal = refuse(target)) {
        return stop(std::move(report), refusal->outcome, std::move(refusal->detail));
    }
    const auto described = describe(target.file, item);
    if (!described) {
        return stop(std::move(report), Outcome::Failed, described.error().message());
    }
    if (!*described) {
        report.detail = "it has more extended attributes than are kept";
    }
    if (auto recorded = hooks_.record(item); !recorded) {
        return stop(std::move(report), Outcome::VaultFailed, recorded.error().message());
    }
    work().step(kStepIntentRecorded);
    return store(std::move(report), target);
}

Report FileQuarantine::store(Report report, const Target& target) {
    const auto give_up = [&](Outcome outcome, std::string detail) {
        return undo(work(), stop(report, outcome, std::move(detail)), to_string(outcome));
    };
    auto& item = report.item;
    auto guard = ContentGuard::create(target.file, target.sha256);
    if (!guard) {
        return give_up(Outcome::Failed, guard.error().message());
    }
    const auto stored = vault_->write_part(target.file, item);
    if (!stored) {
        return give_up(stored.error().source ? Outcome::Failed : Outcome::VaultFailed,
                       stored.error().error.message());
    }
    work().step(kStepPartWritten);
    const auto state = guard->look();
    const bool doubtful = state == ContentGuard::State::Doubtful;
    const auto same = doubtful ? guard->has_judged_content() : Result<bool>(true);
    if (*stored != target.sha256 || state == ContentGuard::State::Changed || !same || !*same) {
        return give_up(Outcome::ChangedMeanwhile, "its content has changed since it was scanned");
    }
    if (auto committed = vault_->commit(item.id); !committed) {
        return give_up(Outcome::VaultFailed, committed.error().message());
    }
    work().step(kStepInVault);
    item.state = QuarantineState::Removing;
    item.path = current_path(target.file, item.path);
    item.taking = item.path;
    if (auto recorded = hooks_.record(item); !recorded) {
        return give_up(Outcome::Failed, recorded.error().message());
    }
    work().step(kStepRemovingRecorded);
    return finish(work(), std::move(report), target.file, *guard);
}

std::vector<QuarantineItem> FileQuarantine::orphans(
    const std::vector<std::string>& known_ids) const {
    std::vector<QuarantineItem> items;
    for (const auto& id : vault_->ids()) {
        if (std::ranges::find(known_ids, id) != known_ids.end()) {
            continue;
        }
        auto opened = vault_->open_id(id);
        if (opened && opened->header.item.id == id) {
            items.push_back(std::move(opened->header.item));
        }
    }
    return items;
}

}  // namespace

const char* to_string(Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::Quarantined:
            return "quarantined";
        case Outcome::NamesLeft:
            return "names-left";
        case Outcome::Truncated:
            return "truncated";
        case Outcome::Vanished:
            return "vanished";
        case Outcome::ChangedMeanwhile:
            return "changed-meanwhile";
        case Outcome::ReadOnly:
            return "read-only";
        case Outcome::Immutable:
            return "immutable";
        case Outcome::Busy:
            return "busy";
        case Outcome::VaultFailed:
            return "vault-failed";
        case Outcome::Failed:
            return "failed";
    }
    return "failed";
}

Result<std::unique_ptr<Quarantine>> Quarantine::open(Options options, Hooks hooks) {
    if (!hooks.may_remove || !hooks.record) {
        return fail(std::errc::invalid_argument, "quarantine without its hooks");
    }
    auto vault = TRY(Vault::open(options.folder, options.max_bytes));
    return std::make_unique<FileQuarantine>(std::move(vault), std::move(options), std::move(hooks));
}

}  // namespace vigia::response
