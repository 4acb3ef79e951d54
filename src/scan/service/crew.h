// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "scan/scan_service.h"
#include "scan/service/trial.h"
#include "scan/service/waker.h"
#include "scan/service/worker_pool.h"
#include "scan/service/zygote.h"

namespace vigia::scan::detail {

// One engine: a zygote, its workers, and what is known about their ends. Belongs to the
// supervisor's thread; the workers it starts are the pool's.
class Crew {
public:
    using Tell = std::function<void(const ScanService::Loss&)>;

    enum class Phase : std::uint8_t {
        Loading,  // definitions
        Trying,   // its first worker, see Trial
        Tried,    // may serve
        Serving,
    };

    // Why it is of no use any more.
    struct Downfall {
        ScanService::LoadFailure failure;  // message: also how it ended, when it was serving
        bool hostile = false;              // it broke the protocol
    };

    [[nodiscard]] static std::expected<std::unique_ptr<Crew>, ScanService::LoadFailure> start(
        const ScanService::Options& options,
        const ScanService::DefinitionSet& set,
        std::uint64_t serial,
        WorkerPool& pool);

    using CountOomKills = std::function<std::optional<std::uint64_t>()>;

    Crew(Zygote zygote,
         std::string generation,
         BootTime load_deadline,
         WorkerPool& pool,
         CountOomKills count_oom_kills);
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    ~Crew();

    // What poll() is to wait for, and until when.
    void watch(std::vector<pollfd>& watched) const;
    [[nodiscard]] BootTime next_deadline() const;

    // Takes in everything that has happened; losses of workers are told.
    void tend(BootTime now, const Tell& tell);

    [[nodiscard]] Phase phase() const noexcept { return phase_; }

    [[nodiscard]] const std::optional<Downfall>& downfall() const noexcept { return downfall_; }

    // Tried → Serving: its workers become the pool's, and callers get only them from now on.
    void serve(BootTime now);

    // Serving: asks for the workers that are missing.
    void replenish(BootTime now);

    // No worker lives, and the next is not asked for before a while: they die as soon as they
    // start.
    [[nodiscard]] bool is_barren(BootTime now) const;

    // Kills the zygote and all workers; requests in flight go elsewhere. Then wait for over().
    void end(const std::string& how, const Tell& tell);
    [[nodiscard]] bool over() const noexcept;

    [[nodiscard]] std::uint64_t serial() const noexcept { return zygote_.serial(); }

    [[nodiscard]] pid_t pid() const noexcept { return zygote_.pid(); }

    [[nodiscard]] int pidfd() const noexcept { return zygote_.process().pidfd(); }

    [[nodiscard]] BootTime serving_since() const noexcept { return serving_since_; }

    [[nodiscard]] const ScanService::Engine& engine() const noexcept { return engine_; }

    [[nodiscard]] const std::string& sandbox() const noexcept { return sandbox_; }

private:
    // What the supervisor keeps about a worker of the pool.
    struct Post {
        WorkerId id = 0;
        UniqueFd pidfd;
        std::optional<BootTime> gone = {};  // ended, by its pidfd
        bool buried = false;                // in the pool's eyes; the zygote has yet to reap it
    };

    void hear(BootTime now, const Tell& tell);
    void on(wire::Loaded&& message, BootTime now, const Tell& tell);
    void on(wire::LoadFailed&& message, BootTime now, const Tell& tell);
    void on(Zygote::Started&& event, BootTime now, const Tell& tell);
    void on(Zygote::Ended&& event, BootTime now, const Tell& tell);
    void on(Zygote::Closed&& event, BootTime now, const Tell& tell);
    void watch_zygote(BootTime now);
    void watch_workers(BootTime now, const Tell& tell);
    void watch_trial(BootTime now);
    void bury(Post& post, std::string how, BootTime now, const Tell& tell);
    void note_stillborn(BootTime now);
    void fall(std::string cause, std::string message, bool hostile = false);
    [[nodiscard]] std::string_view cause_of(int wait_status) const;
    [[nodiscard]] std::optional<BootTime> due(const Post& post) const;

    Zygote zygote_;
    WorkerPool& pool_;
    CountOomKills count_oom_kills_;
    std::optional<std::uint64_t> oom_kills_;  // before it began to load
    Phase phase_ = Phase::Loading;
    BootTime phase_deadline_;  // of Loading and Trying
    BootTime serving_since_{};
    ScanService::Engine engine_;
    std::string sandbox_;
    std::optional<Trial> trial_;
    std::map<std::uint32_t, Post> posts_;  // by slot
    std::optional<BootTime> closed_;       // its socket
    std::optional<Downfall> downfall_;
    std::deque<BootTime> stillborn_;  // workers that died unused, within kStormWindow
    BootTime spawn_after_{};
    Backoff storm_backoff_;
};

}  // namespace vigia::scan::detail
