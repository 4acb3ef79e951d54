// SPDX-License-Identifier: GPL-2.0-or-later
// Who costs what: how the account of programs is introduced to the other parts.
#include <numeric>
#include <span>

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

std::vector<ProgramLoad> Components::busiest_programs() {
    std::vector<ProgramLoad> programs;
    for (auto& program : costs_->report().programs) {
        programs.push_back(std::move(program.load));
    }
    return programs;
}

}  // namespace vigia::daemon
