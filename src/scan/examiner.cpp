// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/examiner.h"

#include <fmt/format.h>

#include <utility>

#include "scan/file_state.h"
#include "scan/sealed_copy.h"
#include "scan/single_flight.h"

namespace vigia::scan {
namespace {

// Up to here a file is copied into memory, so that hash and verdict are of the same bytes.
constexpr std::uint64_t kSmall = std::uint64_t{1} << 20U;

// For a lane that waits for another's verdict, beyond what that one may take.
constexpr std::chrono::milliseconds kGrace{5'000};

Verdict failure(std::string reason, std::string detail) {
    return {.kind = VerdictKind::Failed, .reason = std::move(reason), .detail = std::move(detail)};
}

// SHA-256 of no bytes (FIPS 180-4).
std::optional<Sha256> empty_digest() {
    return Sha256::parse("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

std::optional<Verdict> listed(const Policy& policy, const Sha256& content, std::uint64_t size) {
    if (policy.hashes.block.contains(content)) {
        return Verdict{.kind = VerdictKind::Infected,
                       .source = VerdictSource::BlockList,
                       .threat = "Vigia.Hash.Blocked",
                       .sha256 = content,
                       .size = size};
    }
    if (policy.hashes.allow.contains(content)) {
        return Verdict{.kind = VerdictKind::Clean,
                       .source = VerdictSource::AllowList,
                       .sha256 = content,
                       .size = size};
    }
    return std::nullopt;
}

struct Parts {
    ScanService& service;
    HashService& hasher;
    VerdictCache& cache;
    SingleFlight& flights;
};

// The bytes that are hashed and scanned: a sealed copy, or the file itself.
struct Content {
    int file = -1;
    std::uint64_t size = 0;
    bool sealed = false;
};

// One examination, on one lane.
class Case {
public:
    Case(Parts parts, const Subject& subject, const Policy& policy)
        : parts_(parts), subject_(subject), policy_(policy), epoch_(parts.cache.epoch()) {}

    [[nodiscard]] Examination run() {
        const auto state = state_of(subject_.file.get());
        if (!state) {
            return {.verdict = failure("read-error", state.error().message()), .identity = {}};
        }
        before_ = *state;
        identity_ = {.object = subject_.object, .size = before_.size, .ctime_ns = before_.ctime_ns};
        if (!before_.regular) {
            return with(failure("not-a-file", "not a regular file"));
        }
        if (auto known = known_identity()) {
            return *std::move(known);
        }
        if (before_.size > policy_.files.max_file_size) {
            return with(too_large());
        }
        quiet_before_ = !subject_.still_written && is_settled(before_) && no_writer();
        Examination examined = with(judge());
        examined.engine_time = engine_time_;
        examined.stable = judged_size_ == before_.size && still_the_same();
        if (examined.stable && has_identity() && is_of_content(examined.verdict) && is_truthful()) {
            parts_.cache.remember(
                identity_, examined.verdict, subject_.persistent_identity, epoch_);
        }
        return examined;
    }

private:
    [[nodiscard]] Examination with(Verdict verdict) const {
        return {.verdict = std::move(verdict), .identity = identity_};
    }

    [[nodiscard]] bool no_writer() const { return has_no_writer(subject_.file.get()); }

    [[nodiscard]] bool has_identity() const {
        return subject_.truthful_identity && !subject_.object.handle.bytes.empty();
    }

    // Asked before something is remembered only: what never is, is never found.
    [[nodiscard]] bool is_truthful() const {
        return subject_.truthful_identity && identity_is_truthful(subject_.file.get());
    }

    // Known by what the bytes are. What the lists say is not remembered: they may change.
    [[nodiscard]] static bool is_of_content(const Verdict& verdict) {
        return verdict.sha256 && (verdict.source == VerdictSource::Engine ||
                                  verdict.source == VerdictSource::ContentCache);
    }

    // Nobody wrote since `before_`.
    [[nodiscard]] bool still_the_same() const {
        if (!quiet_before_) {
            return false;
        }
        const auto now = state_of(subject_.file.get());
        return now && *now == before_ && no_writer();
    }

    [[nodiscard]] std::optional<Examination> known_identity() const {
        if (!has_identity() || subject_.must_rehash) {
            return std::nullopt;
        }
        auto known = parts_.cache.find(identity_);
        if (!known) {
            return std::nullopt;
        }
        if (known->sha256) {
            if (auto by_list = listed(policy_, *known->sha256, known->size)) {
                known = std::move(by_list);
            }
        }
        Examination examined = with(*std::move(known));
        // The probe costs more than all the rest.
        examined.stable = subject_.urgent && !subject_.still_written && no_writer();
        return examined;
    }

    [[nodiscard]] Verdict too_large() const {
        return {.kind = VerdictKind::Unscannable,
                .reason = "too-large",
                .detail = fmt::format("{} bytes are more than files.max_file_size allows ({}); "
                                      "neither hashed nor scanned",
                                      before_.size,
                                      policy_.files.max_file_size),
                .size = before_.size};
    }

    [[nodiscard]] Verdict judge() {
        if (before_.size == 0) {
            return {.kind = VerdictKind::Clean, .detail = "empty", .sha256 = empty_digest()};
        }
        if (before_.size <= kSmall) {
            const auto copy = copy_sealed(subject_.file.get(), kSmall);
            if (!copy) {
                return failure("read-error", copy.error().message());
            }
            if (const auto& sealed = *copy) {
                return judge({.file = sealed->file.get(), .size = sealed->size, .sealed = true});
            }
            // It has grown beyond that meanwhile.
        }
        return judge({.file = subject_.file.get(), .size = before_.size});
    }

    [[nodiscard]] Verdict judge(const Content& content) {
        judged_size_ = content.size;
        const auto digest = parts_.hasher.hash(content.file, policy_.scan.file_timeout);
        if (!digest || digest->size != content.size) {
            Verdict verdict = scan(content, std::nullopt);
            verdict.detail +=
                fmt::format("{}not hashed: {}",
                            verdict.detail.empty() ? "" : "; ",
                            digest ? "its size changed meanwhile" : digest.error().message());
            return verdict;
        }
        if (auto by_list = listed(policy_, digest->sha256, digest->size)) {
            return *std::move(by_list);
        }
        return judge_known(content, digest->sha256);
    }

    [[nodiscard]] Verdict judge_known(const Content& content, const Sha256& sha256) {
        auto turn = parts_.flights.join({.content = sha256,
                                         .epoch = epoch_,
                                         .archives = policy_.files.archives,
                                         .urgent = subject_.urgent});
        if (!turn.leads()) {
            const auto longest =
                2 * policy_.scan.file_timeout + ScanService::Request{}.queue_timeout + kGrace;
            if (auto verdict = turn.wait(longest)) {
                verdict->source = VerdictSource::ContentCache;
                return *std::move(verdict);
            }
        }
        // Asked only now: the leader before us remembered its verdict before its flight ended.
        if (auto known = parts_.cache.find(sha256)) {
            if (turn.leads()) {
                turn.publish(known);
            }
            return *std::move(known);
        }
        Verdict verdict = scan(content, sha256);
        const bool shared = verdict.kind != VerdictKind::Failed && hashed_is_scanned(content);
        if (shared) {
            parts_.cache.remember(sha256, verdict, epoch_);
        }
        if (turn.leads()) {
            turn.publish(shared ? std::optional(verdict) : std::nullopt);
        }
        return verdict;
    }

    // Else a verdict on one content would be remembered under the hash of another.
    [[nodiscard]] bool hashed_is_scanned(const Content& content) const {
        return content.sealed || (is_truthful() && still_the_same());
    }

    [[nodiscard]] Verdict scan(const Content& content, std::optional<Sha256> sha256) {
        Verdict verdict =
            parts_.service.scan({.file = content.file,
                                 .size = content.size,
                                 .content = sha256,
                                 .path_hint = subject_.path_hint,
                                 .timeout = policy_.scan.file_timeout,
                                 .urgent = subject_.urgent,
                                 .archives = policy_.files.archives,
                                 .haste = subject_.haste,
                                 .cpu_budget_percent = policy_.scan.cpu_budget_percent});
        // Whoever shares or remembers this verdict does not pay for it again.
        engine_time_ += std::exchange(verdict.engine_time, {});
        verdict.source = VerdictSource::Engine;
        verdict.sha256 = sha256;
        verdict.size = content.size;
        return verdict;
    }

    const Parts parts_;
    const Subject& subject_;
    const Policy& policy_;
    const VerdictCache::Epoch epoch_;
    FileState before_;
    FileIdentity identity_;
    bool quiet_before_ = false;
    std::uint64_t judged_size_ = 0;
    std::chrono::nanoseconds engine_time_{};
};

}  // namespace

struct Examiner::Impl {
    ScanService& service;
    HashService& hasher;
    VerdictCache& cache;
    SingleFlight flights = {};
};

Examiner::Examiner(ScanService& service, HashService& hasher, VerdictCache& cache)
    : impl_(std::make_unique<Impl>(service, hasher, cache)) {}

Examiner::~Examiner() = default;

Examination Examiner::examine(const Subject& subject, const Policy& policy) {
    return Case({.service = impl_->service,
                 .hasher = impl_->hasher,
                 .cache = impl_->cache,
                 .flights = impl_->flights},
                subject,
                policy)
        .run();
}

}  // namespace vigia::scan
