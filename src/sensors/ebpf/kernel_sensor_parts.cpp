// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/kernel_sensor_parts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>
#include <vigia_records.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "sensors/ebpf/cgroup_root.h"
#include "sensors/ebpf/udp_sweep.h"
#include "wire/kernel_records.h"

namespace vigia::sensors {
namespace {

static_assert(static_cast<int>(BlockMode::Block) == VIGIA_BLOCK_DENY);

constexpr auto kSweepEvery = std::chrono::seconds{10};
constexpr std::size_t kMostMountinfo = 16U << 20U;

constexpr std::array<const char*, 5> kSharedMaps{"vigia_config_map",
                                                 "vigia_counter_map",
                                                 "vigia_excluded",
                                                 "vigia_excluded_programs",
                                                 "vigia_programs"};

constexpr std::array<const char*, 3> kProcessPrograms{
    "vigia_exec_done", "vigia_forked", "vigia_exited"};

// Attached to the cgroup; the sensor does without those that the kernel refuses, and says so.
constexpr std::array<const char*, 12> kCgroupPrograms{"vigia_connect4",
                                                      "vigia_connect6",
                                                      "vigia_sendmsg4",
                                                      "vigia_sendmsg6",
                                                      "vigia_recvmsg4",
                                                      "vigia_recvmsg6",
                                                      "vigia_sock_release",
                                                      "vigia_getpeername4",
                                                      "vigia_getpeername6",
                                                      "vigia_sockops",
                                                      "vigia_bytes_in",
                                                      "vigia_bytes_out"};

// Attached only while there is something to block.
constexpr std::array<const char*, 2> kBlockPrograms{"vigia_block_in", "vigia_block_out"};

constexpr std::array<const char*, 2> kIterators{"vigia_tasks", "vigia_sockets"};

// Linux 5.2; without it vigia_sockops is left out as well.
constexpr const char* kListenerStorage = "vigia_listener_storage";

std::vector<std::string_view> optional_programs() {
    std::vector<std::string_view> all(kCgroupPrograms.begin(), kCgroupPrograms.end());
    all.insert(all.end(), kBlockPrograms.begin(), kBlockPrograms.end());
    all.insert(all.end(), kIterators.begin(), kIterators.end());
    all.emplace_back(kListenerStorage);
    return all;
}

// CLOCK_BOOTTIME less CLOCK_MONOTONIC, ns: grows with each suspend.
std::int64_t boot_offset_now() {
    timespec monotonic{};
    ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
    const auto boot = Clock::boot().time_since_epoch();
    return (boot - std::chrono::seconds{monotonic.tv_sec} -
            std::chrono::nanoseconds{monotonic.tv_nsec})
        .count();
}

vigia_config config_of(const KernelSettings& settings, std::int64_t boot_offset) {
    return {.wanted = settings.wanted.bits(),
            .admitted = settings.admitted.bits(),
            .no_loopback = settings.no_loopback.bits(),
            .block_mode = static_cast<std::uint32_t>(settings.block_mode),
            .max_args = settings.argument_bytes,
            .kill_memfd = settings.kill_memory_files ? 1U : 0U,
            .quiet_loopback = settings.quiet_loopback.bits(),
            .pad = 0,
            .boot_offset = boot_offset};
}

}  // namespace

void KernelSensor::Parts::handle(std::span<const std::byte> bytes) {
    auto record = wire::decode_kernel_record(bytes);
    if (!record) {
        ++malformed;
        return;
    }
    if (auto* flow = std::get_if<FlowEvent>(&*record)) {
        observer.on_flow(std::move(*flow));
    } else if (auto* exec = std::get_if<ProcessExec>(&*record)) {
        observer.on_process(std::move(*exec));
    } else if (auto* fork = std::get_if<ProcessFork>(&*record)) {
        observer.on_process(std::move(*fork));
    } else if (auto* exited = std::get_if<ProcessExit>(&*record)) {
        observer.on_process(std::move(*exited));
    }
}

void KernelSensor::Parts::prepare(BpfObject& object) const {
    if (delivery == Delivery::RingBuffer) {
        object.set_max_entries("vigia_ring", static_cast<std::uint32_t>(ring_bytes));
    }
    if (!options.btf_file.empty()) {
        for (const auto* iterator : kIterators) {
            object.leave_out(iterator);  // their types must be the kernel's own
        }
    }
}

KernelSensor::Parts::Opened KernelSensor::Parts::load() {
    const auto optional = optional_programs();
    if (options.processes) {
        auto opened = BpfObject::open(process_object(delivery), {.btf_file = options.btf_file});
        if (!opened) {
            return std::unexpected(std::move(opened).error());
        }
        process.emplace(std::move(*opened));
        prepare(*process);
        if (auto loaded = process->load(optional, missing); !loaded) {
            return loaded;
        }
    }
    return options.network ? load_network() : Opened{};
}

KernelSensor::Parts::Opened KernelSensor::Parts::load_network() {
    auto opened = BpfObject::open(network_object(delivery),
                                  {.btf_file = options.btf_file, .needs_net_admin = true});
    if (!opened) {
        return std::unexpected(std::move(opened).error());
    }
    network.emplace(std::move(*opened));
    prepare(*network);
    std::vector<const char*> shared(kSharedMaps.begin(), kSharedMaps.end());
    if (delivery == Delivery::PerfBuffer) {
        shared.push_back("vigia_ring");  // one buffer a processor for all
    }
    for (const auto* map : shared) {
        if (process) {
            if (auto done = network->share(map, *process); !done) {
                return done;
            }
        }
    }
    if (auto loaded = network->load(optional_programs(), missing); !loaded) {
        return loaded;
    }
    lists.emplace(network->map("vigia_slot4"), network->map("vigia_slot6"));
    return {};
}

void KernelSensor::Parts::find_cgroup() {
    auto path = options.cgroup;
    if (path.empty()) {
        const auto mountinfo = read_file("/proc/self/mountinfo", kMostMountinfo);
        path = find_cgroup_root(mountinfo.value_or(std::string{})).value_or(std::string{});
        if (!path.empty() && !in_initial_cgroup_namespace()) {
            missing.push_back(
                {.cause = LoadCause::NoHook, .detail = "flows outside of this cgroup namespace"});
        }
    }
    auto opened = path.empty() ? Result<UniqueFd>(fail(std::errc::no_such_file_or_directory, ""))
                               : open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!opened) {
        missing.push_back({.cause = LoadCause::NoHook,
                           .error = opened.error().code.value(),
                           .detail = path.empty() ? "no cgroup v2 hierarchy is mounted" : path});
        return;
    }
    cgroup = std::move(*opened);
    cgroup_path = path;
}

void KernelSensor::Parts::attach_cgroup_programs() {
    find_cgroup();
    for (const auto* program : kCgroupPrograms) {
        if (!cgroup || !network->has(program)) {
            continue;
        }
        if (auto link = network->attach_cgroup(program, cgroup.get())) {
            links.push_back(std::move(*link));
        } else {
            missing.push_back(std::move(link).error());
        }
    }
}

KernelSensor::Parts::Opened KernelSensor::Parts::attach() {
    const auto take = [&](const BpfObject& object, const char* program) -> Opened {
        auto link = object.attach(program);
        if (!link) {
            return std::unexpected(std::move(link).error());
        }
        links.push_back(std::move(*link));
        return {};
    };
    if (process) {
        for (const auto* program : kProcessPrograms) {
            if (auto taken = take(*process, program); !taken) {
                return taken;
            }
        }
    }
    if (network) {
        // First those that say who listens, then the one that asks them.
        attach_cgroup_programs();
        return take(*network, "vigia_tcp_state");
    }
    return {};
}

Result<std::unique_ptr<RecordSource>> KernelSensor::Parts::open_source() const {
    if (delivery == Delivery::PerfBuffer) {
        const auto processors = std::max(libbpf_num_possible_cpus(), 1);
        return open_perf_buffers(common().map("vigia_ring"),
                                 ring_bytes / static_cast<std::uint64_t>(processors));
    }
    std::vector<int> rings;
    // Flows first: what processes did before them is then in the other ring already.
    for (const auto* object : {&network, &process}) {
        if (*object) {
            rings.push_back((*object)->map("vigia_ring"));
        }
    }
    return open_rings(rings, ring_bytes);
}

void KernelSensor::Parts::sweep() {
    if (network) {
        end_idle_udp(network->map("vigia_udp_flows"), Clock::boot(), [this](FlowEvent&& flow) {
            ++ended_by_sweep;
            observer.on_flow(std::move(flow));
        });
    }
    if (delivery == Delivery::PerfBuffer) {
        set_clock();
    }
}

KernelSensor::Parts::Opened KernelSensor::Parts::begin() {
    const auto plain = [](const Error& error) {
        return std::unexpected(LoadFailure{.error = error.code.value(), .detail = error.context});
    };
    delivery = options.perf_buffer ? Delivery::PerfBuffer : best_delivery();
    boot_offset = boot_offset_now();
    if (auto loaded = load(); !loaded) {
        return loaded;
    }
    if (auto written = write(options.settings); !written) {
        return plain(written.error());
    }
    auto source = open_source();
    if (!source) {
        return plain(source.error());
    }
    auto started = RingReader::start(std::move(*source),
                                     {.on_record = [this](auto bytes) { handle(bytes); },
                                      .on_batch_end = [this] { observer.on_batch_end(); },
                                      .on_tick = [this] { sweep(); }},
                                     {.tick = kSweepEvery, .gather = options.gather});
    if (!started) {
        return plain(started.error());
    }
    reader = std::move(*started);
    const auto own = static_cast<std::uint32_t>(::getpid());
    const vigia_exclusion mine{.rule = 0, .uid = ~0U, .children = 1, .reason = VIGIA_REASON_OWN};
    if (bpf_map_update_elem(common().map("vigia_excluded"), &own, &mine, BPF_ANY) != 0) {
        return std::unexpected(LoadFailure{.error = errno, .detail = "exclude ourselves"});
    }
    return attach();
}

Result<> KernelSensor::Parts::write(const KernelSettings& wanted) {
    const std::uint32_t zero = 0;
    const auto config = config_of(wanted, boot_offset);
    if (bpf_map_update_elem(common().map("vigia_config_map"), &zero, &config, BPF_ANY) != 0) {
        return fail_errno("write the kernel side's settings");
    }
    settings = wanted;
    return arrange_block();
}

// The machine may have slept.
void KernelSensor::Parts::set_clock() {
    constexpr std::int64_t kNoticed = 1'000'000;
    const auto now = boot_offset_now();
    if (std::abs(now - boot_offset) < kNoticed) {
        return;
    }
    boot_offset = now;
    const std::scoped_lock lock(mutex);
    (void)write(settings);  // next time again
}

// Packets are looked at only while there is something to find: it costs on each.
Result<> KernelSensor::Parts::arrange_block() {
    const bool needed = settings.block_mode == BlockMode::Block && lists && cgroup &&
                        lists->size().prefixes4 + lists->size().prefixes6 > 0;
    if (!needed) {
        block_links.clear();
        return {};
    }
    if (!block_links.empty()) {
        return {};
    }
    for (const auto* program : kBlockPrograms) {
        if (!network->has(program)) {
            continue;  // among `missing` since open()
        }
        auto link = network->attach_cgroup(program, cgroup.get());
        if (!link) {
            block_links.clear();
            return std::unexpected(Error{.code = {link.error().error, std::system_category()},
                                         .context = "attach " + std::string(program)});
        }
        block_links.push_back(std::move(*link));
    }
    return {};
}

}  // namespace vigia::sensors
