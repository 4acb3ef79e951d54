// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel_monitor.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "sensors/fallback/proc_table.h"

namespace vigia::daemon {
namespace {

using sensors::KernelSensor;

constexpr std::chrono::seconds kFirstPause{2};
constexpr std::chrono::seconds kLongestPause{60};
constexpr std::chrono::seconds kLook{60};  // programs of exclusions may have been replaced
constexpr std::chrono::milliseconds kDrain{500};

std::uint64_t sum(const KernelSensor::Counters& counters) {
    auto all = counters.delivered + counters.lost;
    for (const auto& [reason, count] : counters.filtered) {
        all += count;
    }
    return all;
}

bool balanced(const KernelSensor::State& state) {
    return std::ranges::all_of(state.counters,
                               [](const auto& one) { return sum(one) == one.offered; });
}

// Counting is several additions, and reading a copy: between them something may be under way.
KernelSensor::State settled_state(const KernelSensor& sensor) {
    constexpr int kAttempts = 32;
    auto state = sensor.state();
    for (int i = 1; i < kAttempts && !balanced(state); ++i) {
        state = sensor.state();
    }
    return state;
}

void add(KernelSensor::Counters& to, const KernelSensor::Counters& one) {
    to.event_class = one.event_class;
    to.offered += one.offered;
    to.delivered += one.delivered;
    to.lost += one.lost;
    for (const auto& [reason, count] : one.filtered) {
        to.filtered[reason] += count;
    }
}

}  // namespace

KernelMonitor::KernelMonitor(Options options)
    : options_(std::move(options)),
      tree_({.ended_for = std::chrono::minutes{10}}),
      who_(tree_),
      activity_({.reporter = options_.reporter,
                 .policies = options_.policies,
                 .tree = tree_,
                 .who = who_,
                 .on_finding = [this] { ::eventfd_write(wake_.get(), 1); }}),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

KernelMonitor::~KernelMonitor() {
    thread_.request_stop();
    ::eventfd_write(wake_.get(), 1);
    if (thread_.joinable()) {
        thread_.join();
    }
    close_sensors();
    activity_.commit_findings();
}

void KernelMonitor::start() {
    refresh();
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    ::pthread_setname_np(thread_.native_handle(), "vigia-monitor");
}

void KernelMonitor::refresh() {
    {
        const std::scoped_lock lock(mutex_);
        ++wanted_revision_;
    }
    ::eventfd_write(wake_.get(), 1);
}

void KernelMonitor::retry() {
    {
        const std::scoped_lock lock(mutex_);
        retry_now_ = true;
    }
    refresh();
}

KernelSensor::Observer KernelMonitor::observer() {
    return {.on_process = [this](ProcessEvent&& event) { activity_.on_process(std::move(event)); },
            .on_flow = [this](FlowEvent&& event) { activity_.on_flow(std::move(event)); },
            .on_batch_end = [this] { activity_.on_batch_end(); }};
}

KernelSensor::Observer KernelMonitor::looking_observer() {
    auto observer = this->observer();
    observer.on_process = [this](ProcessEvent&& event) {
        const auto& who = std::visit(
            [](const auto& one) -> const ProcessKey& {
                using T = std::remove_cvref_t<decltype(one)>;
                if constexpr (std::is_same_v<T, ProcessExec>) {
                    return one.process.who.key;
                } else if constexpr (std::is_same_v<T, ProcessFork>) {
                    return one.child.key;
                } else {
                    return one.process.key;
                }
            },
            event);
        const auto pid = who.pid;
        activity_.on_process(std::move(event));
        options_.on_looked(pid, Clock::boot());
    };
    observer.on_flow = [this](FlowEvent&& event) {
        const auto pid = event.owner.key.pid;
        activity_.on_flow(std::move(event));
        options_.on_looked(pid, Clock::boot());
    };
    return observer;
}

// Until somebody wants something, a feed file changes, or it is time.
void KernelMonitor::sleep_until_due() {
    auto until = Clock::boot() + kLook;
    if (retry_at_) {
        until = std::min(until, *retry_at_);
    }
    if (const auto expiry = feeds_.next_expiry()) {
        until = std::min(until, Clock::boot() + (*expiry - options_.reporter.now()));
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::boot());
    std::array<pollfd, 2> polled{pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = inotify_.get(), .events = POLLIN, .revents = 0}};
    ::poll(polled.data(), polled.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
    eventfd_t ignored = 0;
    ::eventfd_read(wake_.get(), &ignored);
    if (polled[1].revents != 0) {
        // A busy folder may not keep us busy.
        constexpr int kCalm = 100;
        ::poll(polled.data(), 1, kCalm);
    }
    std::array<char, 16384> events{};
    while (::read(inotify_.get(), events.data(), events.size()) > 0) {
        // What changed is found out by looking at the files.
    }
}

void KernelMonitor::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        apply_once();
        activity_.commit_findings();
        if (!stop.stop_requested()) {
            sleep_until_due();
        }
    }
}

void KernelMonitor::apply_once() {
    std::uint64_t revision = 0;
    bool changed = false;
    {
        const std::scoped_lock lock(mutex_);
        revision = wanted_revision_;
        changed = wanted_revision_ != applied_revision_;
    }
    const auto policy = options_.policies.current();
    activity_.refresh();
    arrange(*policy);
    {
        const std::scoped_lock lock(mutex_);
        applied_revision_ = revision;
    }
    changed_.notify_all();
    if (changed) {
        options_.on_change();
    }
}

// Closes, opens and sets what has to be.
void KernelMonitor::arrange(const PolicyInForce& policy) {
    const bool processes = policy.policy->processes.monitor;
    const bool network = policy.policy->network.device_flow_correlation;
    bool reopen = false;
    bool other = false;
    {
        const std::scoped_lock lock(mutex_);
        const bool due = retry_at_ && Clock::boot() >= *retry_at_;
        const bool failed = rungs_.processes_failure || rungs_.network_failure;
        other = processes != wants_processes_ || network != wants_network_;
        reopen = other || (failed && (due || retry_now_));
        pause_ = other || retry_now_ ? std::chrono::seconds{0} : pause_;
        retry_now_ = false;
        wants_processes_ = processes;
        wants_network_ = network;
    }
    if (reopen && !other && !rungs_.sensor && rungs_.polling) {
        retry_programs(policy);
        options_.on_change();
    } else if (reopen) {
        close_sensors();
        if (processes || network) {
            open_sensors(policy);
        } else {
            retry_at_.reset();
        }
        options_.on_change();
    } else if (const auto sensor = rungs_.sensor) {
        if (const auto set = sensor->set(settings_of(*policy.policy)); !set) {
            log::error("kernel sensor: " + set.error().message());
        }
        follow_level();
    }
    exclude_programs(policy);
    if (network) {
        watch_feeds(policy.policy->network);
        load_lists(policy.policy->network);
    }
}

void KernelMonitor::close_sensors() {
    KernelRungs closed;
    {
        const std::scoped_lock lock(mutex_);
        std::swap(closed, rungs_);
    }
    if (closed.sensor) {
        (void)closed.sensor->drain(kDrain);
        const auto last = settled_state(*closed.sensor);
        const auto load = closed.sensor->load();
        const std::scoped_lock lock(mutex_);
        for (const auto& one : last.counters) {
            add(before_[one.event_class], one);
        }
        missed_before_ += last.missed_runs;
        load_before_.offered += load.offered;
        load_before_.delivered += load.delivered;
        load_before_.lost += load.lost;
    }
    if (closed.polling) {
        const auto last = closed.polling->state();
        const std::scoped_lock lock(mutex_);
        for (std::size_t at = 0; at < last.told.size(); ++at) {
            polled_before_.at(at) += last.told.at(at);
            polled_excluded_before_.at(at) += last.excluded.at(at);
        }
    }
    lists_loaded_ = false;
    excluded_known_ = false;
}

KernelWish KernelMonitor::wish_of(const PolicyInForce& policy) const {
    return {.processes = policy.policy->processes.monitor,
            .network = policy.policy->network.device_flow_correlation,
            .settings = settings_of(*policy.policy),
            .cache = options_.cache};
}

void KernelMonitor::open_sensors(const PolicyInForce& policy) {
    const auto wish = wish_of(policy);
    adopt(climb(wish, observer()), wish);
}

// What looks instead goes on meanwhile: a new one would take for old what has just begun.
void KernelMonitor::retry_programs(const PolicyInForce& policy) {
    const auto wish = wish_of(policy);
    auto rungs = climb(wish, observer());
    if (rungs.sensor) {
        close_sensors();
        adopt(std::move(rungs), wish);
        return;
    }
    plan_retry(rungs);
    const std::scoped_lock lock(mutex_);
    rungs_.processes_failure = std::move(rungs.processes_failure);
    rungs_.network_failure = std::move(rungs.network_failure);
    rungs_.derive_error = std::move(rungs.derive_error);
}

void KernelMonitor::plan_retry(const KernelRungs& rungs) {
    const bool failed = rungs.processes_failure || rungs.network_failure;
    if (failed && pause_.count() == 0) {
        const auto& failure =
            rungs.network_failure ? rungs.network_failure : rungs.processes_failure;
        log::warning("no programs in the kernel: " + failure->message());
    }
    pause_ = !failed               ? std::chrono::seconds{0}
             : pause_.count() == 0 ? kFirstPause
                                   : std::min(pause_ * 2, kLongestPause);
    retry_at_.reset();
    if (failed) {
        retry_at_ = Clock::boot() + pause_;
    }
}

void KernelMonitor::adopt(KernelRungs rungs, const KernelWish& wish) {
    plan_retry(rungs);
    look_instead(rungs, wish, looking_observer());
    log::info("processes: " + (rungs.processes.empty() ? "off" : rungs.processes) +
              ", network: " + (rungs.network.empty() ? "off" : rungs.network));
    {
        const std::scoped_lock lock(mutex_);
        rungs_ = std::move(rungs);
    }
    seed();
}

// What exists already: from the kernel's iterators where there are any, else from /proc.
void KernelMonitor::seed() {
    const auto sensor = rungs_.sensor;
    const bool by_kernel = sensor && rungs_.processes.starts_with("ebpf");
    std::vector<ProcessInfo> processes;
    if (sensor) {
        // Types that are derived bring no iterators.
        auto snapshot = sensor->snapshot();
        processes = snapshot    ? std::move(snapshot->processes)
                    : by_kernel ? sensors::read_processes()
                                : std::vector<ProcessInfo>{};
    }
    if (rungs_.polling && !by_kernel && !rungs_.processes.empty()) {
        processes = rungs_.polling->snapshot();
    }
    tree_.seed(processes);
}

bool KernelMonitor::wait_applied(std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
        lock, timeout, [this] { return applied_revision_ == wanted_revision_; });
}

std::optional<ProcessLine> KernelMonitor::who_did(pid_t pid, BootTime at) {
    std::shared_ptr<KernelSensor> sensor;
    {
        const std::scoped_lock lock(mutex_);
        sensor = rungs_.sensor;
    }
    if (sensor) {
        (void)sensor->drain(kDrain);  // late is better than not known
    }
    return who_.line_at(pid, at);
}

std::vector<KernelSensor::ProgramActivity> KernelMonitor::busiest(std::size_t most) const {
    std::shared_ptr<KernelSensor> sensor;
    {
        const std::scoped_lock lock(mutex_);
        sensor = rungs_.sensor;
    }
    return sensor ? sensor->busiest(most) : std::vector<KernelSensor::ProgramActivity>{};
}

KernelMonitor::State KernelMonitor::state() const {
    State state;
    KernelRungs rungs;
    Totals totals;
    {
        const std::scoped_lock lock(mutex_);
        rungs = rungs_;
        state = {.applied = applied_revision_ != 0 && applied_revision_ == wanted_revision_,
                 .processes = {.wanted = wants_processes_,
                               .backend = rungs.processes,
                               .failure = rungs.processes_failure},
                 .network = {.wanted = wants_network_,
                             .backend = rungs.network,
                             .failure = rungs.network_failure},
                 .derive_error = rungs.derive_error,
                 .missed_runs = missed_before_,
                 .polled = polled_before_,
                 .polled_excluded = polled_excluded_before_,
                 .feeds = files_,
                 .lists_error = lists_error_};
        totals = before_;
    }
    if (rungs.sensor) {
        auto now = settled_state(*rungs.sensor);
        for (const auto& one : now.counters) {
            add(totals[one.event_class], one);
        }
        state.delivery = now.delivery;
        state.missing = std::move(now.missing);
        state.missed_runs += now.missed_runs;
        state.malformed = now.malformed;
        state.lists = now.lists;
    }
    if (rungs.polling) {
        auto now = rungs.polling->state();
        for (std::size_t at = 0; at < now.told.size(); ++at) {
            state.polled.at(at) += now.told.at(at);
            state.polled_excluded.at(at) += now.excluded.at(at);
        }
        state.polling_error = std::move(now.error);
    }
    for (const auto name : sensors::kEventClassNames) {  // in the order of the classes
        if (const auto found = totals.find(name); found != totals.end()) {
            state.counters.push_back(found->second);
        }
    }
    state.tree = tree_.size();
    state.findings = activity_.findings();
    return state;
}

}  // namespace vigia::daemon
