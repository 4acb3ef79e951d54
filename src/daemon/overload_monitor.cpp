// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/overload_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <thread>
#include <utility>

#include "base/log.h"
#include "host/stall.h"

namespace vigia::daemon {
namespace {

// Durable while something that was put off has not been looked at: "SINCE OVERFLOWS", nanoseconds
// of the wall clock. That it is looked for at all rests on the watermark.
constexpr const char* kDebt = "overload-debt";
constexpr std::chrono::seconds kProgramsEvery{1};
constexpr std::size_t kMostPrograms = 5;
constexpr double kCulprit = 0.3;  // of the load
constexpr std::chrono::hours kStormsOf{24};
constexpr std::size_t kMostStorms = 100;
constexpr double kPercent = 100;

std::chrono::nanoseconds own_cpu() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}

double since(std::uint64_t now, std::uint64_t before) {
    return now > before ? static_cast<double>(now - before) : 0;
}

unsigned percent(double share) {
    return static_cast<unsigned>(std::clamp(share, 0.0, 1.0) * kPercent);
}

}  // namespace

OverloadMonitor::OverloadMonitor(Parts parts)
    : parts_(std::move(parts)), processors_(std::max(1U, std::thread::hardware_concurrency())) {}

bool OverloadMonitor::restore() {
    const auto debt = parts_.reporter.journal().value(kDebt).value_or("");
    if (debt.empty()) {
        return false;
    }
    char* rest = nullptr;
    const std::chrono::nanoseconds from{std::strtoll(debt.c_str(), &rest, 10)};
    parts_.walker.make_up(WallTime{from});
    debt_remembered_ = true;
    overflow_told_ = true;
    const std::scoped_lock lock(mutex_);
    begin_episode(BootClock::now());
    overflows_restored_ = std::strtoull(rest, nullptr, 10);
    return true;
}

OverloadMonitor::Sample OverloadMonitor::sample() const {
    const auto pipeline = parts_.pipeline.counters();
    Sample now{.at = BootClock::now(),
               .files = pipeline.offered - std::min(pipeline.offered, pipeline.excluded),
               .judged = pipeline.judged,
               .deferred = pipeline.deferred,
               .kernel = parts_.kernel.load(),
               .cpu = own_cpu()};
    const std::scoped_lock lock(mutex_);
    now.overflows = overflows_;
    return now;
}

// What happened since the last look.
overload::Pressure OverloadMonitor::measure(const Sample& now) {
    const auto before = last_.value_or(now);
    const double seconds =
        std::max(0.05, std::chrono::duration<double>(now.at - before.at).count());
    const auto offered =
        since(now.files, before.files) + since(now.kernel.offered, before.kernel.offered);
    const Rates rates{
        .offered = offered / seconds,
        .delivered = (since(now.judged, before.judged) +
                      since(now.kernel.delivered, before.kernel.delivered)) /
                     seconds,
        .deferred = since(now.deferred, before.deferred) / seconds,
        .cpu = std::chrono::duration<double>(now.cpu - before.cpu).count() / seconds / processors_};
    const auto walker = parts_.walker.state();
    const auto oldest = parts_.pipeline.oldest();
    overload::Pressure pressure{
        .ring = now.kernel.ring_fill,
        .queue = parts_.pipeline.fill(),
        .overflows = now.overflows - std::min(now.overflows, before.overflows),
        .lost = now.kernel.lost - std::min(now.kernel.lost, before.kernel.lost),
        .events_per_second = rates.offered};
    if (oldest && parts_.scans()) {
        pressure.oldest_scan = std::chrono::floor<std::chrono::milliseconds>(now.at - *oldest);
    }
    // What a catch-up takes is what nobody else wanted just then.
    const auto limit = parts_.policies.current()->policy->overload.cpu_percent / kPercent;
    if (!walker.walking && rates.cpu >= limit / 2) {
        pressure.cpu = rates.cpu;
        pressure.stalled = host::processor_stall();
    }
    const std::scoped_lock lock(mutex_);
    known_ = true;
    pressure_ = pressure;
    rates_ = rates;
    lost_ += pressure.lost;
    peak_.offered = std::max(peak_.offered, rates.offered);
    peak_.cpu = std::max(peak_.cpu, rates.cpu);
    return pressure;
}

void OverloadMonitor::look() {
    const auto now = sample();
    const auto pressure = measure(now);
    last_ = now;
    const auto limits = parts_.policies.current()->policy->overload;
    const auto change = levels_.look(pressure, limits, now.at);
    if (change) {
        carry_out(*change, limits);
    }
    const auto walker = parts_.walker.state();
    // Only where everything will be walked anyway: who writes to a file that stays open is seen by
    // its ctime then.
    parts_.monitor.set_quiet(levels_.level() >= overload::kHighest && walker.tainted_since);
    remember_debt(walker);
    note_storm(walker);
    if (change) {
        parts_.changed();
    }
}

void OverloadMonitor::carry_out(const overload::Levels::Change& change,
                                const Policy::Overload& limits) {
    {
        const std::scoped_lock lock(mutex_);
        level_ = change.to;
        why_ = levels_.why();
        level_since_ = parts_.reporter.now();
        ++changes_;
        if (change.from == 0) {
            begin_episode(BootClock::now());
        }
    }
    parts_.pipeline.set_level(change.to);
    parts_.kernel.set_level(change.to);
    const bool up = change.to > change.from;
    const auto& why = change.why;
    const auto reason =
        up && why.limit > 0
            ? fmt::format("{} {:.2f}, limit {:.2f}", why.gauge, why.measured, why.limit)
        : up ? fmt::format("{}: {:.0f}", why.gauge, why.measured)
             : fmt::format("calm for {} ms", limits.calm_after.count());
    const auto mode = overload::mode_of(change.to);
    log::warning(fmt::format("load level {} ({}): {}", change.to, mode, reason));
    parts_.reporter.service(
        ServiceAction::LoadLevelChanged,
        change.to == 0   ? Severity::Informational
        : change.to == 1 ? Severity::Minor
                         : Severity::Major,
        fmt::format(
            "load level {} instead of {}, mode {}: {}", change.to, change.from, mode, reason),
        {{"level", std::to_string(change.to)},
         {"level_before", std::to_string(change.from)},
         {"mode", std::string(mode)},
         {"reason", std::string(why.gauge)},
         {"measured", fmt::format("{:.2f}", why.measured)},
         {"limit", fmt::format("{:.2f}", why.limit)}});
}

// With mutex_ held.
void OverloadMonitor::begin_episode(BootTime now) {
    if (episode_) {
        return;
    }
    episode_ = now;
    peak_ = {};
    lost_ = pressure_.lost;
    programs_.clear();
    culprit_ = false;
}

// With mutex_ held.
std::uint64_t OverloadMonitor::overflows_of_episode() const {
    return overflows_ - overflows_before_ + overflows_restored_;
}

bool OverloadMonitor::is_busy() const {
    constexpr std::chrono::seconds kSettled{1};  // two looks
    const BootTime last{std::chrono::nanoseconds{overflow_at_ns_}};
    return parts_.pipeline.level() > 0 ||
           (last != BootTime{} && BootClock::now() - last < kSettled);
}

void OverloadMonitor::on_overflow() {
    overflow_at_ns_ = BootClock::now().time_since_epoch().count();
    parts_.pipeline.on_overflow();
    const std::scoped_lock lock(mutex_);
    ++overflows_;
}

// So that the next run knows what its catch-up is for, and the fault goes on until it is done. The
// first overflow of an interval is told with it.
void OverloadMonitor::remember_debt(const Walker::State& walker) {
    if (paid_.exchange(false)) {
        // What is owed now came while the other was being looked for.
        debt_remembered_ = false;
        overflow_told_ = false;
    }
    if (!walker.owes || !walker.since) {
        return;
    }
    std::uint64_t overflows = 0;
    {
        const std::scoped_lock lock(mutex_);
        overflows = overflows_of_episode();
    }
    const bool tell = walker.tainted_since && overflows > 0 && !overflow_told_;
    if (debt_remembered_ && !tell) {
        return;
    }
    debt_remembered_ = true;
    const auto debt = fmt::format("{} {}", walker.since->time_since_epoch().count(), overflows);
    if (!tell) {
        journal::Change change;
        change.values[kDebt] = debt;
        parts_.reporter.commit(std::move(change));
        return;
    }
    overflow_told_ = true;
    parts_.reporter.service(
        ServiceAction::QueueOverflow,
        Severity::Major,
        "the kernel's event queue overflowed; what changed meanwhile is being looked for",
        {{"since", to_iso8601(*walker.tainted_since)}},
        {{kDebt, debt}});
}

void OverloadMonitor::note_storm(const Walker::State& walker) {
    const auto now = BootClock::now();
    const bool over = levels_.level() == 0 && !walker.owes;
    bool ask = false;
    bool turned = false;  // an episode begins or ends
    {
        const std::scoped_lock lock(mutex_);
        turned = over == episode_.has_value();
        if (over && episode_) {
            std::erase_if(storms_, [&](BootTime at) { return now - at > kStormsOf; });
            if (!culprit_ && storms_.size() < kMostStorms) {
                storms_.push_back(*episode_);
            }
            episode_.reset();
            // One that came since the look belongs to what comes.
            overflows_before_ = last_->overflows;
            overflows_restored_ = 0;
        }
        if (!over) {
            begin_episode(now);
        }
        ask = levels_.level() > 0 &&
              (!looked_at_programs_ || now - *looked_at_programs_ >= kProgramsEvery);
    }
    if (over) {
        overflow_told_ = false;
        debt_remembered_ = false;
    }
    if (turned) {
        parts_.changed();
    }
    if (!ask) {
        return;
    }
    looked_at_programs_ = now;
    auto programs = parts_.busiest();
    if (programs.empty()) {
        return;
    }
    programs.resize(std::min(programs.size(), kMostPrograms));
    const std::scoped_lock lock(mutex_);
    culprit_ = culprit_ || programs.front().share >= kCulprit;
    programs_ = std::move(programs);
}

void OverloadMonitor::on_caught_up(const Walker::Report& report) {
    std::string places;
    for (const auto& place : report.without_ctime) {
        places += (places.empty() ? "" : "\n") + place;
    }
    std::uint64_t overflows = 0;
    {
        const std::scoped_lock lock(mutex_);
        overflows = overflows_of_episode();
    }
    std::vector<std::pair<std::string, std::string>> facts{
        {"files", std::to_string(report.found)},
        {"since", to_iso8601(report.since)},
        {"until", to_iso8601(parts_.reporter.now())},
        {"recovered", report.lost ? "true" : "false"}};
    if (report.lost) {
        facts.emplace_back("overflows", std::to_string(overflows));
    }
    if (!places.empty()) {
        facts.emplace_back("without_ctime", places);
    }
    std::map<std::string, std::string> values;
    if (report.owed) {
        values[kDebt] = "";
    }
    parts_.reporter.service(ServiceAction::CaughtUp,
                            Severity::Informational,
                            fmt::format("caught up: {} files changed since {}{}",
                                        report.found,
                                        to_iso8601(report.since),
                                        places.empty() ? "" : "; some file systems as a whole"),
                            std::move(facts),
                            std::move(values));
    if (report.owed) {
        paid_ = true;
    }
    parts_.changed();
}

void OverloadMonitor::describe(Facts& facts) const {
    const auto walker = parts_.walker.state();
    const auto pending = parts_.pipeline.pending();
    const std::scoped_lock lock(mutex_);
    facts.overload = {
        .known = known_,
        .level = level_,
        .gauge = std::string(why_.gauge),
        .measured = why_.measured,
        .limit = why_.limit,
        .since = episode_,
        .offered = rates_.offered,
        .delivered = rates_.delivered,
        .deferred = rates_.deferred,
        .peak_offered = peak_.offered,
        .ring_percent = percent(pressure_.ring),
        .queue_percent = percent(pressure_.queue),
        .scans_pending = pending,
        .oldest_scan_seconds = std::chrono::duration<double>(pressure_.oldest_scan).count(),
        .cpu_percent = rates_.cpu * kPercent,
        .peak_cpu_percent = peak_.cpu * kPercent,
        .processors = processors_,
        .overflows = overflows_of_episode(),
        .lost = lost_,
        .owes = walker.owes,
        .catch_up = walker.walking       ? "walking"
                    : walker.catching_up ? "waiting"
                                         : "",
        .files_deferred = walker.deferred,
        .files_found = walker.walking ? walker.found : 0,
        .folders_walked = walker.walking ? walker.folders : 0,
        .share = walker.share,
        .tainted_since = walker.tainted_since,
        .without_ctime = walker.without_ctime,
        .programs = programs_,
        .culprit = culprit_,
        .storms = storms_};
}

void OverloadMonitor::report(Status& status) const {
    const auto walker = parts_.walker.state();
    const std::scoped_lock lock(mutex_);
    status.mode = overload::mode_of(level_);
    status.load = {
        .level = level_,
        .reason = level_ > 0 ? std::string(why_.gauge) : std::string(),
        .since = level_since_,
        .offered = rates_.offered,
        .delivered = rates_.delivered,
        .deferred = rates_.deferred,
        .ring_percent = pressure_.ring * kPercent,
        .queue_percent = pressure_.queue * kPercent,
        .oldest_scan_seconds = std::chrono::duration<double>(pressure_.oldest_scan).count(),
        .cpu_percent = rates_.cpu * kPercent,
        .changes = changes_};
    status.catch_up = {.state = walker.walking       ? "walking"
                                : walker.catching_up ? "waiting"
                                                     : "none",
                       .since = walker.since,
                       .started = walker.started,
                       .files_deferred = walker.deferred,
                       .files_found = walker.walking ? walker.found : 0,
                       .folders_walked = walker.walking ? walker.folders : 0,
                       .problems = walker.problems,
                       .share = walker.share,
                       .tainted_since = walker.tainted_since,
                       .without_ctime = walker.without_ctime};
}

}  // namespace vigia::daemon
