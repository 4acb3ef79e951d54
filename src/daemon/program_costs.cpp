// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/program_costs.h"

#include <algorithm>

namespace vigia::daemon {
namespace {

constexpr std::size_t kMostKnown = 16'384;
constexpr std::size_t kMostWaiting = 8192;
constexpr std::chrono::seconds kFresh{1};
// The kernel's reader gathers for half a second before it tells who began what.
constexpr std::chrono::seconds kTold{1};

std::string_view folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view{}
                                           : path.substr(0, std::max<std::size_t>(slash, 1));
}

void fill(ProgramLoad& load, const Cost& recent) {
    using Seconds = std::chrono::duration<double>;
    load.events_per_second =
        static_cast<double>(recent.events) / Seconds(CostWindow::kLength).count();
    load.scans = recent.scans;
    load.scan_seconds = Seconds(recent.scanning).count();
}

}  // namespace

void ProgramCosts::on_file(pid_t pid, BootTime at, std::string_view path) {
    note(pid, at, {.events = 1}, folder_of(path));
}

void ProgramCosts::on_event(pid_t pid, BootTime at) {
    note(pid, at, {.events = 1}, {});
}

void ProgramCosts::on_scan(pid_t pid, BootTime at, std::chrono::nanoseconds busy) {
    if (pid <= 0) {
        return;
    }
    const Cost cost{.scans = 1, .scanning = busy};
    const std::scoped_lock lock(mutex_);
    // Known from its event, which was a moment ago; its number is hardly anybody else's by now.
    if (const auto known = known_.find(pid); known != known_.end()) {
        table_.add(known->second.program, cost, {}, Clock::boot());
    } else {
        wait_for(pid, at, cost, {});
    }
}

void ProgramCosts::note(pid_t pid, BootTime at, const Cost& cost, std::string_view folder) {
    if (pid <= 0) {
        return;
    }
    const auto now = Clock::boot();
    {
        const std::scoped_lock lock(mutex_);
        const auto known = known_.find(pid);
        if (known != known_.end() && now - known->second.looked_at < kFresh) {
            known->second.used_at = now;
            table_.add(known->second.program, cost, folder, now);
            return;
        }
        if (!may_look(now)) {
            wait_for(pid, at, cost, folder);
            return;
        }
    }
    auto running = hooks_.running(pid);
    const std::scoped_lock lock(mutex_);
    if (running) {
        table_.add(*running, cost, folder, now);
        remember(pid, *std::move(running), now);
    } else {
        wait_for(pid, at, cost, folder);
    }
}

bool ProgramCosts::may_look(BootTime now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
    if (second != second_) {
        second_ = second;
        looks_ = 0;
    }
    return looks_++ < kLooksPerSecond;
}

void ProgramCosts::remember(pid_t pid, ProgramKey program, BootTime now) {
    if (known_.size() >= kMostKnown && !known_.contains(pid)) {
        std::erase_if(known_, [&](const auto& one) {
            return now - one.second.used_at > CostWindow::kLength;
        });
        if (known_.size() >= kMostKnown) {
            known_.clear();  // they are looked up again
        }
    }
    known_[pid] = {.program = std::move(program), .looked_at = now, .used_at = now};
}

void ProgramCosts::wait_for(pid_t pid, BootTime at, const Cost& cost, std::string_view folder) {
    auto found = waiting_.find(pid);
    if (found == waiting_.end()) {
        if (waiting_.size() >= kMostWaiting) {
            table_.add({}, cost, folder, Clock::boot());
            return;
        }
        found = waiting_.emplace(pid, Waiting{.at = at, .cost = {}, .folder = {}}).first;
    }
    found->second.cost += cost;
    if (!folder.empty()) {
        found->second.folder = folder;
    }
}

void ProgramCosts::on_counted(const std::vector<Counted>& all) {
    const auto now = Clock::boot();
    const std::scoped_lock lock(mutex_);
    std::map<std::pair<ProgramId, std::uint32_t>, Counted> next;
    for (const auto& one : all) {
        const auto key = std::pair(one.program, one.key.uid);
        auto events = one.events;
        auto started = one.started;
        // A smaller number: forgotten by the kernel and begun anew, or another sensor's.
        const auto before = counted_.find(key);
        if (before != counted_.end() && before->second.events <= events) {
            events -= before->second.events;
            started -= std::min(started, before->second.started);
        }
        if (events > 0) {
            table_.add(one.key, {.events = events, .started = started}, {}, now);
        }
        next.emplace(key, one);
    }
    counted_ = std::move(next);
}

void ProgramCosts::settle() {
    const auto now = Clock::boot();
    const std::scoped_lock lock(mutex_);
    settle_before(now - kTold, now);
}

void ProgramCosts::settle_before(BootTime limit, BootTime now) {
    std::erase_if(waiting_, [&](const auto& one) {
        const auto& [pid, waiting] = one;
        if (waiting.at > limit) {
            return false;
        }
        auto program = hooks_.ran(pid, waiting.at);
        table_.add(program.value_or(ProgramKey{}), waiting.cost, waiting.folder, now);
        if (program) {
            remember(pid, *std::move(program), now);
            known_[pid].looked_at = {};  // a number that is free, or was not looked at
        }
        return true;
    });
}

unsigned ProgramCosts::processes_of(const ProgramKey& program, BootTime now) const {
    return static_cast<unsigned>(std::ranges::count_if(known_, [&](const auto& one) {
        return one.second.program == program && now - one.second.used_at <= CostWindow::kLength;
    }));
}

ProgramCosts::Report ProgramCosts::report() {
    const auto now = Clock::boot();
    const std::scoped_lock lock(mutex_);
    settle_before(now - kTold, now);
    auto rows = table_.rows(now);
    Report report{.programs = {}, .others = {.path = {}}, .displaced = rows.displaced};
    fill(report.others, rows.others);
    report.others.share = rows.others_share;
    constexpr std::size_t kMostTold = 200;
    for (auto& row : rows.programs) {
        if (report.programs.size() == kMostTold) {
            break;
        }
        if (row.recent.seconds() <= 0 && row.lasting <= 0) {
            continue;
        }
        ProgramLoad load{.path = row.program.path, .share = row.recent_share};
        if (!load.path.empty()) {
            const auto name = hooks_.user_name(row.program.uid);
            load.user = name.empty() ? std::to_string(row.program.uid) : name;
        }
        fill(load, row.recent);
        const auto busy = row.recent.seconds() > 0 ? 1U : 0U;
        load.processes = std::max(
            {processes_of(row.program, now), static_cast<unsigned>(row.recent.started), busy});
        for (const auto& folder : row.folders) {
            load.writes.push_back(folder.path);
        }
        report.programs.push_back({.load = std::move(load),
                                   .lasting_share = row.lasting_share,
                                   .folders = std::move(row.folders)});
    }
    return report;
}

}  // namespace vigia::daemon
