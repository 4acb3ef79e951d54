// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/responder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/text.h"

namespace vigia::daemon {
namespace {

// Longer than any quarantine of one file takes: the search for links is bounded by ten seconds.
constexpr std::chrono::minutes kLongestTurn{2};

std::string restored_key(const ObjectId& object) {
    return fmt::format("restored/{:08x}{:08x}/{}/{}",
                       object.fs.word0,
                       object.fs.word1,
                       object.handle.type,
                       to_hex(std::as_bytes(std::span(object.handle.bytes))));
}

journal::Change one_event(Event event) {
    journal::Change change;
    change.events.push_back(std::move(event));
    return change;
}

}  // namespace

Answer Responder::handle(const Judged& judged) {
    const auto& verdict = judged.examination.verdict;
    switch (verdict.kind) {
        case VerdictKind::Clean:
        case VerdictKind::Failed:
            return {};
        case VerdictKind::Unscannable:
            report_unscannable(judged);
            return {.handled = Handled::Reported, .action = "reported"};
        case VerdictKind::Infected:
            break;
    }
    if (was_restored(judged)) {
        return {.handled = Handled::Nothing, .action = "left (restored by the administrator)"};
    }
    const auto policy = parts_.policies.current();
    auto decision =
        policy::decide(*policy->policy, policy->exclusions, verdict, parts_.reporter.now());
    if (decision.exclusion.excluded) {
        parts_.effects.count(decision.exclusion);
    }
    if (decision.action == policy::Action::Quarantine && !judged.removable) {
        decision = {.action = policy::Action::Report, .why = "outside the watched folders"};
    }
    if (decision.action == policy::Action::None) {
        return {};
    }
    // Known under this identity and left where it is: it has been told of already.
    const bool known = verdict.source == VerdictSource::IdentityCache && !judged.on_demand;
    if (decision.action == policy::Action::Report && known) {
        return {};
    }
    if (decision.action == policy::Action::Report) {
        (void)report_detection(judged, decision);
        return {.handled = Handled::Reported, .action = "reported (" + decision.why + ")"};
    }
    // The watch and a scan on demand may have judged the same object at the same time.
    const auto turn = turns_.take(judged.examination.identity.object, kLongestTurn);
    if (!turn) {
        return {.handled = Handled::ScanAgain, .action = "busy: being put away already"};
    }
    if (is_put_away(judged)) {
        return {.handled = Handled::Nothing, .action = "left (in the vault already)"};
    }
    return put_away(judged, report_detection(judged, decision));
}

bool Responder::was_restored(const Judged& judged) const {
    const auto& object = judged.examination.identity.object;
    if (object.handle.bytes.empty() || !judged.examination.verdict.sha256) {
        return false;
    }
    const auto kept = parts_.reporter.journal().value(restored_key(object));
    return kept && *kept == judged.examination.verdict.sha256->hex();
}

// Without a name, and in the vault as it is: whoever still holds it open, we ourselves among them,
// lets it be found once more by the event of its own removal.
bool Responder::is_put_away(const Judged& judged) const {
    const auto& object = judged.examination.identity.object;
    const auto& sha256 = judged.examination.verdict.sha256;
    struct stat info{};
    if (object.handle.bytes.empty() || !sha256 || ::fstat(judged.file, &info) < 0 ||
        info.st_nlink > 0) {
        return false;
    }
    const auto items = parts_.reporter.journal().quarantine();
    return items && std::ranges::any_of(*items, [&](const QuarantineItem& item) {
               return item.state == QuarantineState::Quarantined && item.fs0 == object.fs.word0 &&
                      item.fs1 == object.fs.word1 &&
                      item.object_handle_type == object.handle.type &&
                      item.object_handle == object.handle.bytes && item.sha256 == *sha256;
           });
}

void Responder::on_restored(const FileIdentity& identity, const Sha256& sha256) {
    journal::Change change;
    change.values[restored_key(identity.object)] = sha256.hex();
    parts_.reporter.commit(std::move(change));
}

Uuid Responder::report_detection(const Judged& judged, const policy::Decision& decision) {
    const auto& verdict = judged.examination.verdict;
    const bool canary = policy::plain_threat_name(verdict.threat) == policy::kCanaryThreat;
    const auto detection = Uuid::random();
    const bool reports = decision.action == policy::Action::Report;
    Event event{.correlation = detection,
                .severity = canary ? Severity::Informational : Severity::Major,
                .message = fmt::format("{} detected in {}", verdict.threat, printable(judged.path)),
                .body = DetectionBody{
                    .phase = decision.why.find("excluded") != std::string::npos
                                 ? DetectionPhase::InExclusion
                                 : DetectionPhase::Detected,
                    .file = {.path = judged.path, .sha256 = verdict.sha256, .size = verdict.size},
                    .threat = verdict.threat,
                    .action = reports ? "audit" : "quarantine",
                    .outcome = {},
                    .quarantine_id = {},
                    .exclusion =
                        decision.exclusion.excluded
                            ? fmt::format("{}: {}", decision.exclusion.set, decision.exclusion.rule)
                            : std::string{},
                    .pid = judged.pid,
                    .program = {},
                    .self_test = canary}};
    if (!canary) {
        attribute(judged, event);
        ++detections_;
        log::warning(event.message);
    }
    if (parts_.reporter.commit(one_event(std::move(event)))) {
        parts_.on_journaled(judged.examination.identity.object);
    }
    return detection;
}

// Who wrote it, also when it has ended since.
void Responder::attribute(const Judged& judged, Event& event) const {
    auto& body = std::get<DetectionBody>(event.body);
    body.actor = who_(judged.pid, judged.at);
    if (body.actor) {
        body.program = body.actor->process.path;
        event.message +=
            fmt::format(", written by {} ({})",
                        printable(body.program.empty() ? body.actor->process.name : body.program),
                        judged.pid);
    }
}

Answer Responder::put_away(const Judged& judged, const Uuid& detection) {
    const auto& examination = judged.examination;
    if (!examination.verdict.sha256) {
        return {.handled = Handled::NotPutAway, .action = "failed: its content has no digest"};
    }
    const auto report =
        quarantine_->put_away({.file = judged.file,
                               .identity = examination.identity,
                               .has_identity = !examination.identity.object.handle.bytes.empty(),
                               .sha256 = *examination.verdict.sha256,
                               .path_hint = judged.path,
                               .threat = examination.verdict.threat,
                               .detection_uid = detection.text},
                              parts_.reporter.now());
    const char* word = response::to_string(report.outcome);
    if (report.outcome == response::Outcome::VaultFailed) {
        const std::scoped_lock lock(trouble_mutex_);
        if (!vault_trouble_) {
            vault_trouble_ = {.since = parts_.reporter.now(), .error = report.detail};
        }
    }
    switch (report.outcome) {
        case response::Outcome::Quarantined:
        case response::Outcome::NamesLeft:
        case response::Outcome::Truncated:
        case response::Outcome::Vanished:
            return {.handled = Handled::PutAway, .action = word};
        case response::Outcome::ChangedMeanwhile:
            return {.handled = Handled::ScanAgain, .action = word};
        case response::Outcome::ReadOnly:
        case response::Outcome::Immutable:
        case response::Outcome::Busy:
        case response::Outcome::VaultFailed:
        case response::Outcome::Failed:
            break;
    }
    Event event{.correlation = detection,
                .severity = Severity::Critical,
                .message = fmt::format("{} in {} could not be quarantined: {}",
                                       examination.verdict.threat,
                                       printable(judged.path),
                                       report.detail.empty() ? word : report.detail),
                .body = DetectionBody{.phase = DetectionPhase::QuarantineFailed,
                                      .file = {.path = judged.path,
                                               .sha256 = examination.verdict.sha256,
                                               .size = examination.verdict.size},
                                      .threat = examination.verdict.threat,
                                      .action = "quarantine",
                                      .outcome = word}};
    log::error(event.message);
    parts_.reporter.commit(one_event(std::move(event)));
    return {.handled = Handled::NotPutAway, .action = std::string("failed: ") + word};
}

Result<> Responder::record(const QuarantineItem& item) {
    journal::Change change;
    change.quarantine.push_back(item);
    if (item.state == QuarantineState::Quarantined) {
        change.events.push_back(
            {.correlation = Uuid{item.detection_uid},
             .severity = Severity::Major,
             .message = fmt::format("{} quarantined from {}", item.threat, printable(item.path)),
             .body = DetectionBody{
                 .phase = DetectionPhase::Quarantined,
                 .file = {.path = item.path, .sha256 = item.sha256, .size = item.size},
                 .threat = item.threat,
                 .action = "quarantine",
                 .outcome = item.outcome,
                 .quarantine_id = item.id,
                 .names_removed = item.names_removed,
                 .names_left = item.names_left}});
    }
    if (!parts_.reporter.commit(std::move(change))) {
        return fail(std::errc::io_error, "write the journal");
    }
    return {};
}

void Responder::report_unscannable(const Judged& judged) {
    const auto& verdict = judged.examination.verdict;
    if (verdict.source != VerdictSource::Engine && !judged.on_demand) {
        return;  // remembered, and told of when it was found out
    }
    Event event{
        .severity = Severity::Minor,
        .message = fmt::format("{} cannot be scanned: {}{}{}",
                               printable(judged.path),
                               verdict.reason,
                               verdict.detail.empty() ? "" : ": ",
                               verdict.detail),
        .body = ScanBody{
            .phase = ScanPhase::Unscannable,
            .file = FileFacts{.path = judged.path, .sha256 = verdict.sha256, .size = verdict.size},
            .reason = verdict.reason}};
    log::warning(event.message);
    parts_.reporter.commit(one_event(std::move(event)));
    if (verdict.reason == "kills-workers" || verdict.reason == "timeout") {
        constexpr std::size_t kMostPoison = 100;
        const std::scoped_lock lock(trouble_mutex_);
        poison_.push_back({.path = judged.path, .sha256 = verdict.sha256, .size = verdict.size});
        if (poison_.size() > kMostPoison) {
            poison_.pop_front();
        }
    }
}

std::optional<Responder::VaultTrouble> Responder::vault_trouble() const {
    const std::scoped_lock lock(trouble_mutex_);
    return vault_trouble_;
}

void Responder::vault_works_again() {
    const std::scoped_lock lock(trouble_mutex_);
    vault_trouble_.reset();
}

std::vector<FileFacts> Responder::poison() const {
    const std::scoped_lock lock(trouble_mutex_);
    return {poison_.begin(), poison_.end()};
}

void Responder::forget_poison() {
    const std::scoped_lock lock(trouble_mutex_);
    poison_.clear();
}

}  // namespace vigia::daemon
