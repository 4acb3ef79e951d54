// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/kernel_sensor.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>
#include <vigia_records.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <ranges>
#include <utility>

#include "base/files.h"
#include "sensors/ebpf/bpf_object.h"
#include "sensors/ebpf/cgroup_root.h"
#include "sensors/ebpf/ring_reader.h"
#include "sensors/ebpf/udp_sweep.h"
#include "wire/kernel_records.h"

namespace vigia::sensors {
namespace {

static_assert(kEventClassNames.size() == VIGIA_CLASSES);
static_assert(static_cast<int>(BlockMode::Block) == VIGIA_BLOCK_DENY);

constexpr auto kSweepEvery = std::chrono::seconds{10};
constexpr std::size_t kMostSnapshot = 256U << 20U;  // bytes
constexpr std::size_t kMostMountinfo = 16U << 20U;
constexpr std::size_t kMostCommandLine = 1024;

constexpr std::array<std::string_view, VIGIA_REASONS> kReasonNames{
    "policy", "overload", "excluded-process", "loopback", "own", "table-full"};

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

std::vector<std::string_view> optional_programs() {
    std::vector<std::string_view> all(kCgroupPrograms.begin(), kCgroupPrograms.end());
    all.insert(all.end(), kBlockPrograms.begin(), kBlockPrograms.end());
    all.insert(all.end(), kIterators.begin(), kIterators.end());
    return all;
}

std::uint64_t machine_memory() {
    return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

vigia_config config_of(const KernelSettings& settings) {
    return {.wanted = settings.wanted.bits(),
            .admitted = settings.admitted.bits(),
            .no_loopback = settings.no_loopback.bits(),
            .block_mode = static_cast<std::uint32_t>(settings.block_mode),
            .max_args = settings.argument_bytes,
            .kill_memfd = settings.kill_memory_files ? 1U : 0U};
}

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

}  // namespace

std::uint64_t ring_bytes_for(std::uint64_t memory, unsigned processors) {
    constexpr std::uint64_t kLeast = 512U << 10U;
    constexpr std::uint64_t kMost = 32U << 20U;
    constexpr std::uint64_t kEach = 2U << 20U;
    const auto wanted = std::min(memory / 250, kEach * std::max(processors, 1U));
    return std::bit_floor(std::clamp(wanted, kLeast, kMost));
}

struct KernelSensor::Parts {
    using Opened = std::expected<void, LoadFailure>;

    Options options;
    Observer observer;
    std::optional<BpfObject> process;
    std::optional<BpfObject> network;
    std::vector<LoadFailure> missing;
    std::string cgroup_path;
    UniqueFd cgroup;
    std::uint64_t ring_bytes = 0;
    std::atomic<std::uint64_t> malformed = 0;
    std::atomic<std::uint64_t> ended_by_sweep = 0;
    mutable std::mutex mutex = {};  // guards the three below
    KernelSettings settings = {};
    std::optional<KernelLists> lists = {};
    std::vector<BpfLink> block_links = {};
    // Last, so first to go: nothing attached, then nobody reading.
    std::unique_ptr<RingReader> reader = {};
    std::vector<BpfLink> links = {};

    // The object that has the shared maps.
    [[nodiscard]] const BpfObject& common() const { return process ? *process : *network; }

    void handle(std::span<const std::byte> bytes);
    void prepare(BpfObject& object) const;
    Opened load();
    Opened load_network();
    Opened attach();
    void attach_cgroup_programs();
    void find_cgroup();
    Opened begin();
    Result<> write(const KernelSettings& wanted);
    Result<> arrange_block();
};

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
    object.set_max_entries("vigia_ring", static_cast<std::uint32_t>(ring_bytes));
    if (!options.btf_file.empty()) {
        for (const auto* iterator : kIterators) {
            object.leave_out(iterator);  // their types must be the kernel's own
        }
    }
}

KernelSensor::Parts::Opened KernelSensor::Parts::load() {
    const auto optional = optional_programs();
    if (options.processes) {
        auto opened = BpfObject::open(process_object(), {.btf_file = options.btf_file});
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
    auto opened =
        BpfObject::open(network_object(), {.btf_file = options.btf_file, .needs_net_admin = true});
    if (!opened) {
        return std::unexpected(std::move(opened).error());
    }
    network.emplace(std::move(*opened));
    prepare(*network);
    for (const auto* map : kSharedMaps) {
        if (process) {
            if (auto shared = network->share(map, *process); !shared) {
                return shared;
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

KernelSensor::Parts::Opened KernelSensor::Parts::begin() {
    const auto plain = [](const Error& error) {
        return std::unexpected(LoadFailure{.error = error.code.value(), .detail = error.context});
    };
    if (auto loaded = load(); !loaded) {
        return loaded;
    }
    if (auto written = write(options.settings); !written) {
        return plain(written.error());
    }
    std::vector<int> rings;
    for (const auto* object : {&process, &network}) {
        if (*object) {
            rings.push_back((*object)->map("vigia_ring"));
        }
    }
    auto sweep = [this] {
        if (network) {
            end_idle_udp(network->map("vigia_udp_flows"), Clock::boot(), [this](FlowEvent&& flow) {
                ++ended_by_sweep;
                observer.on_flow(std::move(flow));
            });
        }
    };
    auto started = RingReader::start(
        rings, [this](auto bytes) { handle(bytes); }, std::move(sweep), kSweepEvery);
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
    const auto config = config_of(wanted);
    if (bpf_map_update_elem(common().map("vigia_config_map"), &zero, &config, BPF_ANY) != 0) {
        return fail_errno("write the kernel side's settings");
    }
    settings = wanted;
    return arrange_block();
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

KernelSensor::KernelSensor(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}

KernelSensor::KernelSensor(KernelSensor&&) noexcept = default;
KernelSensor& KernelSensor::operator=(KernelSensor&&) noexcept = default;
KernelSensor::~KernelSensor() = default;

std::expected<KernelSensor, LoadFailure> KernelSensor::open(const Options& options,
                                                            Observer observer) {
    const bool kernel_has_btf = !options.hide_btf && ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    if (!kernel_has_btf && options.btf_file.empty()) {
        return std::unexpected(LoadFailure{.cause = LoadCause::NoBtf, .error = ENOENT});
    }
    auto parts = std::make_unique<Parts>();
    parts->options = options;
    parts->observer = std::move(observer);
    parts->ring_bytes =
        options.ring_bytes != 0
            ? options.ring_bytes
            : ring_bytes_for(machine_memory(),
                             static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN)));
    if (auto begun = parts->begin(); !begun) {
        return std::unexpected(std::move(begun).error());
    }
    return KernelSensor(std::move(parts));
}

KernelSensor::State KernelSensor::state() const {
    State state{.backend = parts_->options.btf_file.empty() ? "ebpf-btf" : "ebpf-derived",
                .counters = {},
                .missing = parts_->missing,
                .cgroup = parts_->cgroup_path,
                .malformed = parts_->malformed,
                .ring_bytes = parts_->ring_bytes};
    const int map = parts_->common().map("vigia_counter_map");
    std::vector<vigia_counters> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t i = 0; i < VIGIA_CLASSES; ++i) {
        Counters sum{.event_class = kEventClassNames.at(i)};
        if (bpf_map_lookup_elem(map, &i, each.data()) == 0) {
            for (const auto& one : each) {
                sum.offered += one.offered;
                sum.delivered += one.delivered;
                sum.lost += one.lost;
                for (std::size_t reason = 0; reason < kReasonNames.size(); ++reason) {
                    sum.filtered[kReasonNames.at(reason)] += one.filtered[reason];  // NOLINT
                }
            }
        }
        if (i == VIGIA_CLASS_UDP) {  // ends that we found ourselves
            sum.offered += parts_->ended_by_sweep;
            sum.delivered += parts_->ended_by_sweep;
        }
        state.counters.push_back(std::move(sum));
    }
    for (const auto* object : {&parts_->process, &parts_->network}) {
        state.missed_runs += *object ? (*object)->missed_runs() : 0;
    }
    const std::scoped_lock lock(parts_->mutex);
    if (parts_->lists) {
        state.lists = parts_->lists->size();
    }
    return state;
}

Result<> KernelSensor::drain(std::chrono::milliseconds timeout) {
    return parts_->reader->drain(timeout);
}

Result<> KernelSensor::set(const KernelSettings& settings) {
    const std::scoped_lock lock(parts_->mutex);
    return parts_->write(settings);
}

Result<> KernelSensor::set_lists(AddressLists lists) {
    const std::scoped_lock lock(parts_->mutex);
    if (!parts_->lists) {
        return fail(std::errc::not_supported, "lists of addresses without the network sensor");
    }
    TRY(parts_->lists->set(std::move(lists)));
    return parts_->arrange_block();
}

Result<> KernelSensor::exclude(pid_t pid, std::uint32_t rule, bool children) {
    const auto key = static_cast<std::uint32_t>(pid);
    const vigia_exclusion entry{
        .rule = rule, .uid = ~0U, .children = children ? 1U : 0U, .reason = VIGIA_REASON_EXCLUDED};
    if (bpf_map_update_elem(parts_->common().map("vigia_excluded"), &key, &entry, BPF_ANY) != 0) {
        return fail_errno("exclude a process");
    }
    return {};
}

Result<> KernelSensor::include(pid_t pid) {
    const auto key = static_cast<std::uint32_t>(pid);
    if (bpf_map_delete_elem(parts_->common().map("vigia_excluded"), &key) != 0 && errno != ENOENT) {
        return fail_errno("include a process");
    }
    return {};
}

Result<> KernelSensor::set_excluded_programs(const std::vector<ProgramExclusion>& programs) {
    const int map = parts_->common().map("vigia_excluded_programs");
    std::vector<vigia_program> stale;
    vigia_program key{};
    for (const vigia_program* previous = nullptr; bpf_map_get_next_key(map, previous, &key) == 0;
         previous = &stale.back()) {
        stale.push_back(key);
    }
    for (const auto& one : programs) {
        const vigia_program program{.device = one.program.device, .inode = one.program.inode};
        const vigia_exclusion entry{.rule = one.rule,
                                    .uid = one.user.value_or(~0U),
                                    .children = one.children ? 1U : 0U,
                                    .reason = VIGIA_REASON_EXCLUDED};
        if (bpf_map_update_elem(map, &program, &entry, BPF_ANY) != 0) {
            return fail_errno("exclude a program");
        }
        std::erase_if(stale, [&](const vigia_program& old) {
            return old.device == program.device && old.inode == program.inode;
        });
    }
    for (const auto& old : stale) {
        bpf_map_delete_elem(map, &old);
    }
    return {};
}

std::expected<KernelSensor::Snapshot, LoadFailure> KernelSensor::snapshot() {
    Snapshot snapshot;
    const auto run = [&](const BpfObject& object, const char* program) -> Parts::Opened {
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
            return std::unexpected(
                LoadFailure{.error = text.error().code.value(), .program = program});
        }
        auto rest = std::as_bytes(std::span(*text));
        while (auto record = wire::take_kernel_record(rest)) {
            if (auto* running = std::get_if<wire::RunningProcess>(&*record)) {
                add_command_line(running->process);
                snapshot.processes.push_back(std::move(running->process));
            } else if (auto* socket = std::get_if<FlowEvent>(&*record)) {
                snapshot.sockets.push_back(std::move(*socket));
            }
        }
        return {};
    };
    if (parts_->process) {
        if (auto done = run(*parts_->process, "vigia_tasks"); !done) {
            return std::unexpected(std::move(done).error());
        }
    }
    // Twice: in the second pass all who listen are known, so the direction of each connection is.
    for (int pass = 0; pass < 2 && parts_->network; ++pass) {
        snapshot.sockets.clear();
        if (auto done = run(*parts_->network, "vigia_sockets"); !done) {
            return std::unexpected(std::move(done).error());
        }
    }
    return snapshot;
}

std::vector<KernelSensor::ProgramActivity> KernelSensor::busiest(std::size_t most) const {
    const int map = parts_->common().map("vigia_programs");
    std::vector<vigia_program> keys;
    vigia_program key{};
    constexpr std::size_t kMostPrograms = 8192;  // the kernel's table is half of it
    for (const vigia_program* previous = nullptr;
         keys.size() < kMostPrograms && bpf_map_get_next_key(map, previous, &key) == 0;
         previous = &keys.back()) {
        keys.push_back(key);
    }
    std::vector<std::pair<std::uint64_t, ProgramActivity>> all;
    for (const auto& one : keys) {
        vigia_program_counters counters{};
        if (bpf_map_lookup_elem(map, &one, &counters) != 0) {
            continue;
        }
        ProgramActivity activity{
            .program = {.device = one.device, .inode = one.inode},
            .comm = {counters.comm, strnlen(counters.comm, sizeof(counters.comm))},
            .pid = static_cast<pid_t>(counters.last_pid),
            .uid = counters.uid};
        std::ranges::copy(counters.events, activity.events.begin());
        std::uint64_t sum = 0;
        for (const auto count : activity.events) {
            sum += count;
        }
        all.emplace_back(sum, std::move(activity));
    }
    std::ranges::sort(all, std::greater{}, [](const auto& one) { return one.first; });
    std::vector<ProgramActivity> busiest;
    for (auto& [sum, activity] : all | std::views::take(most)) {
        busiest.push_back(std::move(activity));
    }
    return busiest;
}

}  // namespace vigia::sensors
