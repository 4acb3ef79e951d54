// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/scan_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "scan/service/exchange.h"
#include "scan/service/gate.h"
#include "scan/service/process_facts.h"
#include "scan/service/supervisor.h"
#include "scan/service/waker.h"
#include "scan/service/worker_pool.h"

namespace vigia::scan {
namespace {

using detail::Break;
using detail::BreakKind;
using detail::WorkerPool;

constexpr unsigned kMostWorkers = 16;
// Workers found dead before they saw the file cost the file nothing; but not for ever.
constexpr unsigned kMostBlameless = 16;

Verdict verdict_of(const ScanService::Request& request) {
    return {.kind = VerdictKind::Failed, .sha256 = request.content, .size = request.size};
}

Verdict failed(const ScanService::Request& request, std::string reason, std::string detail) {
    auto verdict = verdict_of(request);
    verdict.reason = std::move(reason);
    verdict.detail = std::move(detail);
    return verdict;
}

Verdict judged(const ScanService::Request& request, wire::ScanDone done) {
    auto verdict = verdict_of(request);
    verdict.limit_hit = done.limit_hit != 0;
    if (done.outcome == 0) {
        verdict.kind = VerdictKind::Clean;
    } else if (done.outcome == 1) {
        verdict.kind = VerdictKind::Infected;
        verdict.threat = std::move(done.text);
    } else {
        verdict.reason = "engine-error";
        verdict.detail =
            fmt::format("the engine's error {}: {}", done.engine_error, printable(done.text));
    }
    return verdict;
}

// Each worker's part of a share of the machine, in thousandths of a processor.
std::uint32_t budget_of_one(unsigned percent, unsigned workers) {
    constexpr unsigned kWholeProcessor = 1000;
    constexpr unsigned kThousandthsPerPercent = 10;
    // Asked once: it reads a file of /sys.
    static const unsigned kCores = std::max(1U, std::thread::hardware_concurrency());
    return std::min(percent * kThousandthsPerPercent * kCores / std::max(workers, 1U),
                    kWholeProcessor);
}

// What one file has done to workers so far.
class Record {
public:
    void add(const Break& what, const detail::Ending& ending) {
        if (ending.blameless || !what.delivered) {
            ++blameless_;
            return;
        }
        ++kills_;
        late_ += what.kind == BreakKind::Late ? 1 : 0;
        how_ += (how_.empty() ? "" : "; then ") + ending.how;
    }

    [[nodiscard]] std::optional<Verdict> verdict(const ScanService::Request& request) const {
        if (kills_ >= 2) {
            auto verdict = verdict_of(request);
            verdict.kind = VerdictKind::Unscannable;
            verdict.reason = late_ == kills_ ? "timeout" : "kills-workers";
            verdict.detail = "two scan workers did not survive it: " + how_;
            return verdict;
        }
        if (blameless_ > kMostBlameless) {
            return failed(request, "service-not-ready", "scan workers keep ending");
        }
        return std::nullopt;
    }

private:
    unsigned kills_ = 0;
    unsigned late_ = 0;
    unsigned blameless_ = 0;
    std::string how_;
};

class Service final : public ScanService {
public:
    Service(Options options, Observer observer, detail::Waker waker)
        : waker_(std::move(waker)),
          pool_(waker_, options.workers, options.recycle_after),
          supervisor_(std::make_unique<detail::Supervisor>(
              std::move(options), std::move(observer), pool_, waker_)) {}

    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    ~Service() override {
        pool_.close();
        supervisor_.reset();
        gate_.wait_until_empty();
    }

    void load(DefinitionSet set) override { supervisor_->load(std::move(set)); }

    [[nodiscard]] Verdict scan(const Request& request) override;

    void set_workers(unsigned count) override {
        pool_.set_target(std::clamp(count, 1U, kMostWorkers));
    }

    void stop() override { pool_.close(); }

    [[nodiscard]] State state() const override;

private:
    // The verdict, or what has become of the worker.
    std::expected<Verdict, Break> attempt(const Request& request, const WorkerPool::Lease& lease);
    [[nodiscard]] Verdict refused(const Request& request, WorkerPool::Refusal refusal) const;
    [[nodiscard]] std::string name_of(uid_t uid) const;

    detail::Waker waker_;
    WorkerPool pool_;
    detail::Gate gate_;
    mutable std::mutex name_mutex_;
    mutable std::optional<std::pair<uid_t, std::string>> name_;  // guarded by name_mutex_
    std::unique_ptr<detail::Supervisor> supervisor_;             // uses pool_ and waker_
};

std::expected<Verdict, Break> Service::attempt(const Request& request,
                                               const WorkerPool::Lease& lease) {
    const auto& worker = lease.worker();
    auto& scheduling = lease.scheduling();
    const auto id = detail::fresh_id();
    const auto packet = wire::encode(
        wire::ScanFile{.id = id, .size = request.size, .archives = request.archives ? 1U : 0U});
    scheduling.begin_file(request.haste, budget_of_one(request.cpu_budget_percent, pool_.target()));
    const detail::Patience patience{.length = scheduling.patience(),
                                    .overdue = [&scheduling] { scheduling.rise(); }};
    const auto answer = detail::ask({.socket = worker.socket.get(), .pidfd = worker.pidfd.get()},
                                    packet,
                                    request.file,
                                    request.timeout,
                                    request.haste == Haste::Asked ? nullptr : &patience);
    scheduling.end_file();
    if (!answer) {
        return std::unexpected(answer.error());
    }
    auto done = detail::read_scan_done(*answer, id);
    if (!done) {
        return std::unexpected(
            Break{.kind = BreakKind::Hostile, .delivered = true, .how = std::move(done).error()});
    }
    return judged(request, *std::move(done));
}

Verdict Service::scan(const Request& request) {
    const detail::Gate::Pass inside(gate_);
    const auto deadline = BootClock::now() + request.queue_timeout;
    Record record;
    std::chrono::nanoseconds busy{};
    while (true) {
        auto lease = pool_.acquire(
            {.content = request.content, .path = request.path_hint, .size = request.size},
            request.urgent,
            deadline);
        if (!lease) {
            return refused(request, lease.error());
        }
        const auto begun = BootClock::now();
        auto outcome = attempt(request, *lease);
        busy += BootClock::now() - begun;
        if (outcome) {
            outcome->engine_time = busy;
            // A worker that has met malware or a limit is not trusted with another file.
            lease->put_back(outcome->kind != VerdictKind::Clean || outcome->limit_hit);
            return *std::move(outcome);
        }
        if (outcome.error().kind == BreakKind::Local) {
            lease->put_back(false);
            return failed(request, "read-error", outcome.error().how);
        }
        record.add(outcome.error(), lease->give_up(outcome.error().how));
        if (auto verdict = record.verdict(request)) {
            verdict->engine_time = busy;
            return *std::move(verdict);
        }
    }
}

Verdict Service::refused(const Request& request, WorkerPool::Refusal refusal) const {
    switch (refusal) {
        case WorkerPool::Refusal::NotReady:
            return failed(
                request,
                "service-not-ready",
                fmt::format("no scan worker was free within {}", to_text(request.queue_timeout)));
        case WorkerPool::Refusal::Failed:
            return failed(request, "service-failed", supervisor_->situation().detail);
        case WorkerPool::Refusal::Stopping:
            break;
    }
    return failed(request, "service-not-ready", "the scan service is stopping");
}

// Looking up an account may go over the network: once is enough.
std::string Service::name_of(uid_t uid) const {
    const std::scoped_lock lock(name_mutex_);
    if (!name_ || name_->first != uid) {
        name_.emplace(uid, detail::user_name(uid));
    }
    return name_->second;
}

ScanService::State Service::state() const {
    auto situation = supervisor_->situation();
    auto census = pool_.census();
    State state{.state = std::move(situation.state),
                .detail = std::move(situation.detail),
                .user = {},
                .workers_ready = static_cast<unsigned>(census.ready.size()),
                .zygote = situation.zygote,
                .workers = std::move(census.ready),
                .workers_lost = census.lost,
                .engine = std::move(situation.engine),
                .sandbox = std::move(situation.sandbox)};
    for (const auto pid : state.workers) {
        if (const auto uid = detail::effective_user_of(pid)) {
            state.user = name_of(*uid);
            break;
        }
    }
    return state;
}

}  // namespace

Result<std::unique_ptr<ScanService>> ScanService::start(Options options, Observer observer) {
    if (options.workers < 1 || options.workers > kMostWorkers) {
        return fail(std::errc::invalid_argument,
                    fmt::format("start the scan service with {} workers", options.workers));
    }
    auto waker = TRY(detail::Waker::create(), "start the scan service");
    try {
        return std::make_unique<Service>(std::move(options), std::move(observer), std::move(waker));
    } catch (const std::system_error& error) {
        return std::unexpected(
            Error{.code = error.code(), .context = "start the scan service's thread"});
    }
}

}  // namespace vigia::scan
