// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/components.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/api.h"
#include "daemon/test_hooks.h"
#include "host/memory.h"
#include "host/mounts.h"

namespace vigia::daemon {
namespace {

constexpr unsigned kHashers = 2;
// Unpacking an archive or copying a folder is mostly over by then; nobody waits for these verdicts.
constexpr std::chrono::milliseconds kSettle{100};

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string boot_id() {
    auto id = read_file("/proc/sys/kernel/random/boot_id", 64).value_or("unknown");
    while (id.ends_with('\n')) {
        id.pop_back();
    }
    return id;
}

// The scan service is in the cgroup that we are in.
std::optional<std::uint64_t> count_oom_kills() {
    const auto root = host::Root::open("/");
    const auto count = root ? host::oom_kills(*root) : Fact<std::uint64_t>{};
    return count.is_known() ? std::optional(*count) : std::nullopt;
}

unsigned worker_count(const Policy& policy) {
    constexpr unsigned kMost = 16;
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    return std::clamp(policy.scan.workers.value_or(std::min(cores, 4U)), 1U, kMost);
}

}  // namespace

Components::Components(Options options, EventLoop& loop)
    : options_(std::move(options)),
      loop_(loop),
      crashes_(boot_id()),
      paths_(Paths::under(options_.prefix)),
      policies_(options_.policy.empty() ? paths_.policy : options_.policy, paths_.last_policy),
      started_(clock_.wall()),
      state_since_(started_) {}

Components::~Components() {
    // What has no verdict by now is found again from the watermark, so it is moved before the scans
    // under way are broken off; without that, everything below would wait for a slow file.
    if (monitor_) {
        move_watermark();
    }
    if (scanner_) {
        scanner_->stop();
    }
    // Those that call into others go first; members follow in reverse order.
    control_.reset();
    host_watch_.reset();
    if (definition_watch_) {
        definition_watch_->stop();
    }
    {
        const std::scoped_lock lock(poke_mutex_);
        poked_ = nullptr;
    }
    if (health_) {
        stopping_ = true;
        health_->stop();  // a look at the facts that is under way asks it for its view
    }
    self_tests_ = {};  // tells the fault engine of what it finds
    health_.reset();
    sources_.clear();
    on_demand_.reset();
    monitor_.reset();
    if (walker_) {
        walker_->stop();
    }
    pipeline_.reset();  // its lanes still put off what they cannot judge any more
    overload_.reset();
    walker_.reset();
    kernel_.reset();
    if (cache_) {
        (void)cache_->flush();
    }
    if (reporter_) {
        reporter_->stop_waiting();
    }
    journald_.reset();
    sink_.reset();
}

Result<std::unique_ptr<Components>> Components::create(const Options& options, EventLoop& loop) {
    auto self = std::unique_ptr<Components>(new Components(options, loop));
    const auto reloaded = self->policies_.reload();
    TRY(self->open_storage());
    self->tell_refused(reloaded);
    TRY(self->start_scanning());
    self->make_program_costs();
    self->start_kernel_monitor();
    TRY(self->start_pipeline());
    TRY(self->start_outlets());
    TRY(self->start_health());
    TRY(self->start_timers());
    TRY(self->start_api());
    self->reporter_->service(ServiceAction::Started,
                             Severity::Informational,
                             fmt::format("vigiad {} started", VIGIA_VERSION),
                             {{"version", VIGIA_VERSION}});
    return self;
}

Result<> Components::open_storage() {
    const auto policy = policies_.current()->policy;
    journal::Journal::Options options{.file = paths_.journal,
                                      .device_name = host_name(),
                                      .boot_id = boot_id(),
                                      .max_bytes = policy->journal.max_bytes,
                                      .max_age = policy->journal.max_age};
    options.max_held = most_events_held(options.max_held);
    journal_ = TRY(journal::Journal::open(std::move(options)), "open the journal");
    reporter_ = std::make_unique<Reporter>(*journal_, clock_);
    crashes_.restore(journal_->value(kCrashes).value_or(""), clock_.wall(), BootClock::now());
    auto cache = scan::VerdictCache::open({.file = paths_.cache});
    if (!cache && cache.error().code != std::errc::device_or_resource_busy) {
        // A disk that refuses costs speed after the next restart, and is no reason not to start.
        log::warning("verdicts are remembered in memory only: " + cache.error().message());
        cache = scan::VerdictCache::open({});
    }
    cache_ = TRY(std::move(cache), "open the verdict cache");
    return {};
}

Result<> Components::start_scanning() {
    hasher_ = TRY(scan::HashService::start(options_.programs / "vigia-hash", kHashers),
                  "start vigia-hash");
    definitions_ = std::make_unique<DefinitionKeeper>(DefinitionKeeper::Parts{
        .policies = policies_,
        .reporter = *reporter_,
        .folder = paths_.definitions,
        .stand_in = paths_.stand_in,
        .load = [this](scan::ScanService::DefinitionSet set) { scanner_->load(std::move(set)); }});
    scanner_ =
        TRY(scan::ScanService::start(
                {.program = options_.programs / "vigia-scand",
                 .workers = worker_count(*policies_.current()->policy),
                 .oom_kills = count_oom_kills},
                {.on_loss = [this](const auto& loss) { on_scan_loss(loss); },
                 .on_ready = [this](const auto& engine) { on_engine_ready(engine); },
                 .on_load_failed = [this](const auto& failure) { on_load_failed(failure); }}),
            "start the scan service");
    examiner_ = std::make_unique<scan::Examiner>(*scanner_, *hasher_, *cache_);
    responder_ = std::make_unique<Responder>(Responder::Parts{
        .reporter = *reporter_,
        .policies = policies_,
        .on_journaled = [this](const ObjectId& object) { trace_.mark(object, Stage::Journal); },
        .effects = effects_});
    quarantine_ =
        TRY(response::Quarantine::open(
                {.folder = paths_.quarantine},
                {.may_remove = [this](const std::string& path) { return may_remove(path); },
                 .search_folders = [this] { return policies_.current()->policy->files.watch; },
                 .record = [this](const QuarantineItem& item) { return responder_->record(item); },
                 .on_restored =
                     [this](const FileIdentity& identity, const Sha256& sha256) {
                         responder_->on_restored(identity, sha256);
                     }}),
            "open the quarantine");
    responder_->set_quarantine(*quarantine_);
    definition_watch_ =
        TRY(DefinitionWatch::start({.folders = [this] { return definition_folders(); },
                                    .load = [this] { definitions_->load(); }}),
            "watch the definitions");
    definitions_->load();
    return {};
}

Result<> Components::start_pipeline() {
    const unsigned workers = worker_count(*policies_.current()->policy);
    auto own = paths_.own_folders();
    monitor_ = std::make_unique<FileMonitor>(FileMonitor::Options{
        .policies = policies_,
        .own_folders = std::move(own),
        .observer = {.on_activity =
                         [this](FileActivity&& activity) { pipeline_->offer(std::move(activity)); },
                     .on_overflow = [this](BootTime /*at*/) { overload_->on_overflow(); }},
        .now = [this] { return clock_.wall(); },
        .changed = [this] { poke_health(); }});
    make_walker();
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Parts{.policies = policies_,
                                                           .monitor = *monitor_,
                                                           .examiner = *examiner_,
                                                           .responder = *responder_,
                                                           .walker = *walker_,
                                                           .reporter = *reporter_,
                                                           .trace = trace_,
                                                           .costs = *costs_,
                                                           .writers = *writers_,
                                                           .effects = effects_},
                                           scan::ScanQueue::Options{.settle = kSettle},
                                           2 * workers + 2);
    make_overload_monitor();
    // Watching first, then looking back: nothing falls between the two. What was interrupted is
    // finished when it is known what is watched: only those names may be taken.
    constexpr std::chrono::seconds kMarks{10};
    monitor_->start();
    monitor_->wait_applied(kMarks);
    recover_quarantine();
    pipeline_->start();
    walker_->start();
    catch_up_after_start();
    return {};
}

Result<> Components::start_outlets() {
    const auto policy = policies_.current()->policy;
    on_demand_ = std::make_unique<OnDemand>(OnDemand::Parts{.policies = policies_,
                                                            .monitor = *monitor_,
                                                            .examiner = *examiner_,
                                                            .responder = *responder_,
                                                            .reporter = *reporter_,
                                                            .threads = worker_count(*policy)});
    self_test_ =
        std::make_unique<SelfTest>(SelfTest::Parts{.trace = trace_,
                                                   .places = [this] { return self_test_places(); },
                                                   .now = [this] { return clock_.wall(); }});
    open_event_log(*policy);
    refresh_outlets(*policy);
    return {};
}

// Last of all: its threads ask every other part.
Result<> Components::start_api() {
    control_ = TRY(control::ControlServer::start({.status_socket = paths_.status_socket,
                                                  .control_socket = paths_.control_socket},
                                                 make_api(*this)),
                   "start the control API");
    serving_ = control_.get();
    return {};
}

Result<> Components::start_timers() {
    using namespace std::chrono_literals;
    sources_.push_back(TRY(loop_.every(3s, [this] { monitor_->check_namespaces(); })));
    sources_.push_back(TRY(loop_.every(5s, [this] { move_watermark(); })));
    sources_.push_back(TRY(loop_.every(2s, [this] { count_programs(); })));
    TRY(watch_mounts());
    if (const auto watched = watch_policy_file(); !watched) {
        log::warning("policy file is not watched: " + watched.error().message());
    }
    self_tests_ = std::jthread([this](const std::stop_token& stop) { run_self_tests(stop); });
    return {};
}

Result<> Components::watch_mounts() {
    mount_watch_ = TRY(host::open_mount_watch());
    sources_.push_back(TRY(loop_.on_io(mount_watch_.get(), EPOLLPRI, [this](std::uint32_t) {
        // Reading rearms it; what it says is read by the monitor's own thread.
        (void)::lseek(mount_watch_.get(), 0, SEEK_SET);
        monitor_->refresh();
    })));
    return {};
}

Result<> Components::watch_policy_file() {
    policy_watch_ = UniqueFd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (!policy_watch_) {
        return fail_errno("inotify");
    }
    // The folder, because editors replace the file.
    const auto folder = policies_.file().parent_path();
    constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE;
    if (::inotify_add_watch(policy_watch_.get(), folder.c_str(), kMask) < 0) {
        return fail_errno("watch " + printable(folder.native()));
    }
    sources_.push_back(TRY(loop_.on_io(policy_watch_.get(), EPOLLIN, [this](std::uint32_t) {
        const auto wanted = policies_.file().filename().native();
        alignas(inotify_event) std::array<char, 16384> buffer{};
        bool touched = false;
        ssize_t got = 0;
        while ((got = ::read(policy_watch_.get(), buffer.data(), buffer.size())) > 0) {
            for (ssize_t at = 0; at < got;) {
                const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
                touched = touched || (event->len > 0 && wanted == event->name) ||
                          (event->mask & IN_Q_OVERFLOW) != 0;
                at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            }
        }
        if (touched) {
            reload_policy();
        }
    })));
    return {};
}

void Components::tell_refused(const PolicyStore::Reloaded& reloaded) {
    if (reloaded.valid) {
        return;
    }
    std::string all;
    for (const auto& problem : reloaded.problems) {
        log::error("policy: " + problem.text());
        all += (all.empty() ? "" : "\n") + problem.text();
    }
    reporter_->service(
        ServiceAction::PolicyRefused,
        Severity::Major,
        fmt::format("policy refused: {} problems; {}", reloaded.problems.size(), reloaded.in_force),
        {{"problems", all}, {"in_force", policies_.current()->source}});
}

PolicyStore::Reloaded Components::reload_policy() {
    const std::scoped_lock one_at_a_time(reload_mutex_);
    auto result = policies_.reload();
    if (!result.valid) {
        tell_refused(result);
        poke_health();
        return result;
    }
    const auto policy = policies_.current()->policy;
    if (!result.differences.empty()) {
        std::string all;
        for (const auto& difference : result.differences) {
            all += (all.empty() ? "" : "\n") + difference;
        }
        reporter_->service(
            ServiceAction::PolicyApplied,
            Severity::Informational,
            fmt::format("policy {} serial {} applied", printable(policy->name), policy->serial),
            {{"differences", all}});
        scanner_->set_workers(worker_count(*policy));
        monitor_->refresh();
        refresh_outlets(*policy);
        kernel_->refresh();
    }
    definition_watch_->refresh();
    // Also without a difference: the files in a definition folder may be new.
    definitions_->load();
    poke_health();
    return result;
}

bool Components::run_self_test() {
    const auto before = self_test_->last();
    const auto report = self_test_->run();
    if (!before || before->ok != report.ok) {
        reporter_->service(
            report.ok ? ServiceAction::SelfTestPassed : ServiceAction::SelfTestFailed,
            report.ok ? Severity::Informational : Severity::Critical,
            report.ok ? "self-test passed" : "self-test failed",
            {{"place", utf8_lossy(report.place)}});
    }
    poke_health();
    return report.ok;
}

void Components::run_self_tests(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    constexpr std::chrono::seconds kSoon{5};
    while (!stop.stop_requested()) {
        const bool ready = scanner_->state().state == "ready";
        const bool ok = ready && run_self_test();
        const auto every = policies_.current()->policy->scan.selftest_every;
        const auto wait = ok      ? every
                          : ready ? std::min<std::chrono::milliseconds>(kSoon, every)
                                  : std::chrono::milliseconds{50};
        std::unique_lock lock(mutex);
        wake.wait_for(lock, stop, wait, [] { return false; });
    }
}

void Components::say_goodbye(const std::string& why) {
    reporter_->service(ServiceAction::Stopped, Severity::Informational, "vigiad stopped: " + why);
}

bool Components::makes_progress() const {
    constexpr std::chrono::seconds kMargin{30};
    const auto limit = 2 * policies_.current()->policy->scan.file_timeout + kMargin;
    return pipeline_->stalled_for() < limit;
}

}  // namespace vigia::daemon
