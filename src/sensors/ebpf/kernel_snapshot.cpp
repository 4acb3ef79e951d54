// SPDX-License-Identifier: GPL-2.0-or-later
// What exists when the sensor looks: from the kernel's iterators.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "base/files.h"
#include "sensors/ebpf/kernel_sensor_parts.h"
#include "wire/kernel_records.h"

namespace vigia::sensors {
namespace {

constexpr std::size_t kMostSnapshot = 256U << 20U;  // bytes
constexpr std::size_t kMostCommandLine = 1024;

// The kernel does not read command lines of what exists; they may be swapped out.
void add_command_line(ProcessInfo& process) {
    const auto path = "/proc/" + std::to_string(process.who.key.pid) + "/cmdline";
    const auto file = open_at(AT_FDCWD, path.c_str(), O_RDONLY);
    std::array<char, kMostCommandLine> bytes{};
    const auto size = file ? ::read(file->get(), bytes.data(), bytes.size()) : -1;
    if (size > 0) {
        process.arguments.assign(bytes.data(), static_cast<std::size_t>(size));
        process.arguments_total = static_cast<std::uint32_t>(size);
    }
}

std::expected<void, LoadFailure> run_iterator(
    const BpfObject& object,
    const char* program,
    const std::function<void(wire::KernelRecord&&)>& on_record) {
    if (!object.has(program)) {
        return std::unexpected(
            LoadFailure{.cause = LoadCause::NoBtf, .error = ENOENT, .program = program});
    }
    auto output = object.run_iterator(program);
    if (!output) {
        return std::unexpected(std::move(output).error());
    }
    const auto text = read_all(output->get(), kMostSnapshot);
    if (!text) {
        return std::unexpected(LoadFailure{.error = text.error().code.value(), .program = program});
    }
    auto rest = std::as_bytes(std::span(*text));
    while (auto record = wire::take_kernel_record(rest)) {
        on_record(std::move(*record));
    }
    return {};
}

}  // namespace

std::expected<std::vector<ProcessInfo>, LoadFailure> KernelSensor::processes() const {
    std::vector<ProcessInfo> processes;
    if (!parts_->process) {
        return processes;
    }
    auto done = run_iterator(*parts_->process, "vigia_tasks", [&](wire::KernelRecord&& record) {
        if (auto* running = std::get_if<wire::RunningProcess>(&record)) {
            add_command_line(running->process);
            processes.push_back(std::move(running->process));
        }
    });
    if (!done) {
        return std::unexpected(std::move(done).error());
    }
    return processes;
}

std::expected<std::vector<FlowEvent>, LoadFailure> KernelSensor::sockets() {
    std::vector<FlowEvent> sockets;
    // Twice: in the second pass all who listen are known, so the direction of each connection is.
    for (int pass = 0; pass < 2 && parts_->network; ++pass) {
        sockets.clear();
        auto done =
            run_iterator(*parts_->network, "vigia_sockets", [&](wire::KernelRecord&& record) {
                if (auto* socket = std::get_if<FlowEvent>(&record)) {
                    sockets.push_back(std::move(*socket));
                }
            });
        if (!done) {
            return std::unexpected(std::move(done).error());
        }
    }
    return sockets;
}

std::expected<KernelSensor::Snapshot, LoadFailure> KernelSensor::snapshot() {
    auto running = processes();
    if (!running) {
        return std::unexpected(std::move(running).error());
    }
    auto open = sockets();
    if (!open) {
        return std::unexpected(std::move(open).error());
    }
    return Snapshot{.processes = std::move(*running), .sockets = std::move(*open)};
}

}  // namespace vigia::sensors
