// SPDX-License-Identifier: GPL-2.0-or-later
// Who costs what: how the account of programs is introduced to the other parts.
#include <algorithm>
#include <numeric>
#include <span>

#include "base/text.h"
#include "daemon/components.h"
#include "sensors/fallback/proc_table.h"

namespace vigia::daemon {
namespace {

// Those that policy may want told; how owners of sockets are learnt is our own affair.
std::uint64_t events_of(const sensors::KernelSensor::ProgramActivity& program) {
    constexpr auto kTold = static_cast<std::size_t>(sensors::EventClass::Owner);
    const auto told = std::span(program.events).first(kTold);
    return std::accumulate(told.begin(), told.end(), std::uint64_t{0});
}

}  // namespace

void Components::make_program_costs() {
    costs_ = std::make_unique<ProgramCosts>(ProgramCosts::Hooks{
        .running = [](pid_t pid) -> std::optional<ProgramKey> {
            auto runner = sensors::read_runner(pid);
            if (!runner) {
                return std::nullopt;
            }
            return ProgramKey{.path = std::move(runner->path), .uid = runner->uid};
        },
        .ran = [this](pid_t pid, BootTime at) -> std::optional<ProgramKey> {
            auto process = kernel_->last_of(pid, at);
            if (!process || process->path.empty()) {
                return std::nullopt;
            }
            return ProgramKey{.path = std::move(process->path), .uid = process->who.uid};
        },
        .user_name = [this](std::uint32_t uid) { return kernel_->user_name(uid); }});
    writers_ = std::make_unique<Writers>(
        Writers::Hooks{.look = [](pid_t pid) -> std::optional<Writers::Process> {
                           auto runner = sensors::read_runner(pid);
                           if (!runner) {
                               return std::nullopt;
                           }
                           return Writers::Process{.start_ns = runner->start_ns,
                                                   .path = std::move(runner->path),
                                                   .uid = runner->uid,
                                                   .parent = runner->parent};
                       },
                       .user_name = [this](unsigned uid) { return kernel_->user_name(uid); }});
}

// Of the process that was counted last, if it still runs, or ran, just this program.
std::string Components::path_of_program(const sensors::KernelSensor::ProgramActivity& program) {
    constexpr std::size_t kMostPaths = 8192;
    const auto known = program_paths_.find(program.program);
    if (known != program_paths_.end()) {
        return known->second;
    }
    auto process = kernel_->last_of(program.pid, Clock::boot());
    if (!process || process->who.program != program.program || process->path.empty()) {
        process = sensors::read_process(program.pid);
    }
    if (!process || process->who.program != program.program || process->path.empty()) {
        return {};
    }
    if (program_paths_.size() >= kMostPaths) {
        program_paths_.clear();  // they are found again, but for those that ended long ago
    }
    return program_paths_[program.program] = process->path;
}

void Components::count_programs() {
    // As many as the kernel's table holds.
    constexpr std::size_t kMost = 4096;
    std::vector<ProgramCosts::Counted> counted;
    for (const auto& program : kernel_->busiest(kMost)) {
        counted.push_back(
            {.program = program.program,
             .key = {.path = path_of_program(program), .uid = program.uid},
             .events = events_of(program),
             .started = program.events.at(static_cast<std::size_t>(sensors::EventClass::Exec))});
    }
    costs_->on_counted(counted);
    costs_->settle();
}

ProgramCosts::Report Components::program_costs() {
    auto report = costs_->report();
    const auto advice = advisor();
    for (auto& program : report.programs) {
        program.load = advised(std::move(program.load), advice);
    }
    return report;
}

std::vector<ProgramLoad> Components::busiest_programs() {
    std::vector<ProgramLoad> programs;
    for (auto& program : program_costs().programs) {
        programs.push_back(std::move(program.load));
    }
    return programs;
}

std::vector<Suggestion> Components::suggestions() {
    return suggest(costs_->report(), advisor());
}

// Holds what is in force now.
Advisor Components::advisor() const {
    const auto policy = policies_.current();
    const auto now = clock_.wall();
    return {.others_write = others_may_write,
            .is_excluded =
                [policy, now](const policy::ExclusionRule& rule) {
                    return rule.kind == policy::RuleKind::Process
                               ? policy->exclusions
                                     .match_process({.program = rule.value, .user = rule.user}, now)
                                     .excluded
                               : policy->exclusions.excludes_path(rule.value, now);
                },
            .set_exists =
                [policy](const std::string& set) {
                    return std::ranges::find(
                               policy->policy->exclusions, set, &ExclusionSet::name) !=
                           policy->policy->exclusions.end();
                },
            .is_ours =
                [folder = options_.programs.native()](const std::string& program) {
                    return program.starts_with(folder + "/vigia");
                },
            .program = options_.prefix.empty()
                           ? "vigia"
                           : "vigia --prefix " + shell_quoted(options_.prefix.native()),
            .today = std::chrono::floor<std::chrono::days>(now)};
}

Components::PolicyEdit Components::edit_policy(const PolicyStore::Edit& edit) {
    const std::scoped_lock one_at_a_time(edit_mutex_);
    const auto before = policies_.current();
    auto refused = policies_.edit(edit);
    if (!refused) {
        return {.failed = std::move(refused).error()};
    }
    if (*refused) {
        return {.refused = std::move(*refused)};
    }
    auto reloaded = reload_policy();
    // Who watches the file may have been faster than we.
    if (reloaded.valid) {
        reloaded.differences = policy::difference(*before->policy, *policies_.current()->policy);
    }
    return {.reloaded = std::move(reloaded)};
}

}  // namespace vigia::daemon
