// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "control/control_server.h"
#include "daemon/crash_log.h"
#include "daemon/definition_keeper.h"
#include "daemon/definition_watch.h"
#include "daemon/exclusion_effects.h"
#include "daemon/file_monitor.h"
#include "daemon/health_monitor.h"
#include "daemon/host_watch.h"
#include "daemon/kernel_monitor.h"
#include "daemon/on_demand.h"
#include "daemon/overload_monitor.h"
#include "daemon/paths.h"
#include "daemon/pipeline.h"
#include "daemon/policy_store.h"
#include "daemon/program_costs.h"
#include "daemon/reporter.h"
#include "daemon/responder.h"
#include "daemon/selftest.h"
#include "daemon/sink_pump.h"
#include "daemon/suggestions.h"
#include "daemon/walker.h"
#include "daemon/writers.h"
#include "host/installation.h"
#include "host/root.h"
#include "journal/journal.h"
#include "metrics/prometheus_text.h"
#include "model/facts.h"
#include "model/host/accounts.h"
#include "model/host_facts.h"
#include "model/program_load.h"
#include "model/status.h"
#include "response/quarantine.h"
#include "scan/examiner.h"
#include "scan/hash_service.h"
#include "scan/scan_service.h"
#include "scan/verdict_cache.h"

namespace vigia::daemon {

struct Options {
    std::filesystem::path prefix = {};    // empty: the system
    std::filesystem::path policy = {};    // empty: the one of the prefix
    std::filesystem::path programs = {};  // where vigia-scand and vigia-hash are
    std::filesystem::path sysroot = "/";  // where the host is read
    std::vector<std::string> missing_capabilities = {};
    bool foreground = false;
    std::string log_level = "info";
};

// Builds every part and introduces them to each other; the only place that knows them all. Data
// flows one way: sensor → pipeline → examiner → responder → journal → sinks. Members are in the
// order in which they may depend on each other, so destruction is safe in reverse.
class Components {
public:
    [[nodiscard]] static Result<std::unique_ptr<Components>> create(const Options& options,
                                                                    EventLoop& loop);
    Components(const Components&) = delete;
    Components& operator=(const Components&) = delete;
    ~Components();

    // Reads the policy file again and carries out what changed. Any thread; returns when the new
    // policy is in force (definitions load in the background).
    PolicyStore::Reloaded reload_policy();

    [[nodiscard]] Status status() const;

    // What the journal, the sinks and the API measure of themselves.
    [[nodiscard]] metrics::Outlets outlets() const;

    [[nodiscard]] SelfTestReport self_test() { return self_test_->run(); }

    // True while events get their verdicts (feeds the watchdog).
    [[nodiscard]] bool makes_progress() const;

    [[nodiscard]] Reporter& reporter() { return *reporter_; }

    [[nodiscard]] HealthMonitor& health() { return *health_; }

    [[nodiscard]] OnDemand& on_demand() { return *on_demand_; }

    [[nodiscard]] response::Quarantine& quarantine() { return *quarantine_; }

    [[nodiscard]] const PolicyStore& policies() const { return policies_; }

    // Who costs what, with advice; most expensive of the last ten seconds first. Any thread.
    [[nodiscard]] std::vector<ProgramLoad> busiest_programs();
    [[nodiscard]] ProgramCosts::Report program_costs();

    // The rules that would take most load away, over some ten minutes; most first. Any thread.
    [[nodiscard]] std::vector<Suggestion> suggestions();

    // Puts a changed text into the policy file and carries it out. Any thread.
    struct PolicyEdit {
        std::optional<policy::EditRefusal> refused = {};
        std::optional<Error> failed = {};  // of the file
        PolicyStore::Reloaded reloaded = {};
    };

    [[nodiscard]] PolicyEdit edit_policy(const PolicyStore::Edit& edit);

    [[nodiscard]] const ExclusionEffects& effects() const { return effects_; }

    [[nodiscard]] WallTime now() const { return clock_.wall(); }

    // Announces the end in the journal; the parts end with the object.
    void say_goodbye(const std::string& why);

private:
    Components(Options options, EventLoop& loop);

    Result<> open_storage();
    Result<> start_scanning();
    void make_walker();
    void make_overload_monitor();
    void catch_up_after_start();
    Result<> start_pipeline();
    Result<> start_outlets();
    Result<> start_timers();
    Result<> start_api();
    void open_event_log(const Policy& policy);
    void refresh_outlets(const Policy& policy);
    [[nodiscard]] std::vector<Facts::Outlet> outlet_facts() const;
    Result<> watch_policy_file();
    Result<> watch_mounts();
    void tell_refused(const PolicyStore::Reloaded& reloaded);
    bool run_self_test();
    void run_self_tests(const std::stop_token& stop);
    void recover_quarantine();
    void move_watermark();
    void start_kernel_monitor();
    void make_program_costs();
    void count_programs();
    [[nodiscard]] Advisor advisor() const;
    [[nodiscard]] std::string path_of_program(
        const sensors::KernelSensor::ProgramActivity& program);
    void collect_programs(Facts& facts);
    void report_kernel(Status& status) const;
    Result<> start_health();
    [[nodiscard]] std::vector<HostWatch::Place> host_places();
    [[nodiscard]] std::string signs_of_trouble() const;
    void collect_facts(Facts& facts);
    void collect_scan_service(Facts& facts);
    void collect_storage(Facts& facts);
    void collect_machine(Facts& facts);
    void collect_installation(Facts& facts);
    void collect_files(Facts& facts);
    void retry_when_limits_change(bool refused);
    void retry_when_memory_grows(Facts& facts);
    void follow_scan_user(const Facts& facts);
    [[nodiscard]] std::vector<ExpectedPath> own_paths() const;
    [[nodiscard]] std::vector<std::string> definition_folders() const;
    [[nodiscard]] std::string repair(health::Heal action, const Episode& episode);
    [[nodiscard]] std::string note_crash(const scan::ScanService::Loss& loss);
    void poke_health();
    void on_scan_loss(const scan::ScanService::Loss& loss);
    void on_engine_ready(const scan::ScanService::Engine& engine);
    void on_load_failed(const scan::ScanService::LoadFailure& failure);
    [[nodiscard]] std::vector<std::string> self_test_places() const;
    [[nodiscard]] bool may_remove(const std::string& path) const;

    const Options options_;
    EventLoop& loop_;
    const Clock clock_;
    std::mutex poke_mutex_;           // guards poked_
    HealthMonitor* poked_ = nullptr;  // while it is there; parts begin before it and end after it
    CrashLog crashes_;
    const Paths paths_;
    PolicyStore policies_;
    WallTime started_{};
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<Reporter> reporter_;
    Trace trace_;
    ExclusionEffects effects_;
    std::unique_ptr<scan::VerdictCache> cache_;
    std::unique_ptr<scan::HashService> hasher_;
    std::unique_ptr<DefinitionKeeper> definitions_;
    std::unique_ptr<scan::ScanService> scanner_;
    std::unique_ptr<scan::Examiner> examiner_;
    std::unique_ptr<Responder> responder_;
    std::unique_ptr<response::Quarantine> quarantine_;
    std::unique_ptr<ProgramCosts> costs_;
    std::unique_ptr<Writers> writers_;
    std::unique_ptr<KernelMonitor> kernel_;
    std::unique_ptr<FileMonitor> monitor_;
    std::unique_ptr<Walker> walker_;
    std::unique_ptr<Pipeline> pipeline_;
    std::unique_ptr<OverloadMonitor> overload_;
    std::unique_ptr<OnDemand> on_demand_;
    std::unique_ptr<SelfTest> self_test_;
    std::unique_ptr<SinkPump> sink_;      // events.jsonl
    mutable std::mutex outlets_mutex_;    // guards journald_
    std::unique_ptr<SinkPump> journald_;  // while policy wants it
    std::mutex reload_mutex_;             // one reload at a time
    std::mutex edit_mutex_;               // one change of the policy file at a time
    mutable std::mutex state_mutex_;      // guards the two below
    mutable std::string last_state_ = "starting";
    mutable WallTime state_since_{};
    std::atomic<bool> stopping_ = false;
    std::map<ProgramId, std::string> program_paths_;  // the loop's, as the two below
    std::optional<BootTime> moved_at_;                // the watermark
    std::uint64_t offered_at_move_ = 0;
    UniqueFd mount_watch_;
    UniqueFd policy_watch_;
    std::vector<EventLoop::SourcePtr> sources_;
    std::jthread self_tests_;
    std::optional<host::Installation> installation_;  // the evaluating thread's, as the seven below
    std::optional<host::Root> installed_root_;
    std::optional<host::Root> host_root_;
    std::optional<host::Root> own_root_;
    HostFacts machine_;
    std::optional<BootTime> examined_at_;
    bool user_seen_ = false;
    std::optional<unsigned> seen_uid_;
    std::array<std::uint64_t, 2> seen_limits_{};  // of fanotify
    std::optional<std::uint64_t> seen_memory_;    // while there was too little of it
    std::mutex creation_mutex_;                   // guards creation_error_
    std::string creation_error_;
    std::unique_ptr<HealthMonitor> health_;
    std::unique_ptr<HostWatch> host_watch_;
    std::unique_ptr<DefinitionWatch> definition_watch_;
    std::unique_ptr<control::ControlServer> control_;
    // The same once it is there: its threads may ask before start() has returned.
    std::atomic<const control::ControlServer*> serving_ = nullptr;
};

}  // namespace vigia::daemon
