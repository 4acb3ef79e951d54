// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/kernel_sensor.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>
#include <vigia_records.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ranges>
#include <utility>

#include "base/files.h"
#include "sensors/ebpf/kernel_sensor_parts.h"
#include "wire/kernel_records.h"

namespace vigia::sensors {
namespace {

static_assert(kEventClassNames.size() == VIGIA_CLASSES);

constexpr std::array<std::string_view, VIGIA_REASONS> kReasonNames{
    "policy", "overload", "excluded-process", "loopback", "own", "table-full"};

std::uint64_t machine_memory() {
    return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void move_losses(std::vector<KernelSensor::Counters>& counters,
                 std::span<const std::uint64_t> received,
                 std::uint64_t reader_lost) {
    std::vector<ClassBooks> books;
    books.reserve(counters.size());
    for (const auto& one : counters) {
        books.push_back({.delivered = one.delivered, .lost = one.lost});
    }
    attribute_losses(books, received, reader_lost);
    for (std::size_t i = 0; i < books.size(); ++i) {
        counters[i].delivered = books[i].delivered;
        counters[i].lost = books[i].lost;
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
                .delivery = kDeliveryNames.at(static_cast<std::size_t>(parts_->delivery)),
                .counters = {},
                .missing = parts_->missing,
                .cgroup = parts_->cgroup_path,
                .malformed = parts_->malformed,
                .ring_bytes = parts_->reader->source().bytes_of_each()};
    const auto received = parts_->reader->source().received();
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
        state.counters.push_back(std::move(sum));
    }
    if (!received.empty()) {
        move_losses(state.counters, received, parts_->reader->source().lost());
    }
    // Ends that we found ourselves.
    state.counters.at(VIGIA_CLASS_UDP).offered += parts_->ended_by_sweep;
    state.counters.at(VIGIA_CLASS_UDP).delivered += parts_->ended_by_sweep;
    for (const auto* object : {&parts_->process, &parts_->network}) {
        state.missed_runs += *object ? (*object)->missed_runs() : 0;
    }
    const std::scoped_lock lock(parts_->mutex);
    if (parts_->lists) {
        state.lists = parts_->lists->size();
    }
    return state;
}

KernelSensor::Load KernelSensor::load() const {
    Load load{.ring_fill = parts_->reader->take_peak()};
    const int map = parts_->common().map("vigia_counter_map");
    std::vector<vigia_counters> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    // Who owns a socket, and who met a listed address, is not load.
    for (std::uint32_t i = 0; i <= VIGIA_CLASS_UDP; ++i) {
        if (bpf_map_lookup_elem(map, &i, each.data()) != 0) {
            continue;
        }
        for (const auto& one : each) {
            load.offered += one.delivered + one.lost + one.filtered[VIGIA_REASON_OVERLOAD];
            load.delivered += one.delivered;
            load.lost += one.lost;
        }
    }
    return load;
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

std::vector<KernelSensor::ProgramActivity> KernelSensor::busiest(std::size_t most) const {
    const int map = parts_->common().map("vigia_programs");
    std::vector<vigia_program_user> keys;
    vigia_program_user key{};
    constexpr std::size_t kMostPrograms = 8192;  // the kernel's table is half of it
    for (const vigia_program_user* previous = nullptr;
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
            .program = {.device = one.program.device, .inode = one.program.inode},
            .comm = {counters.comm, strnlen(counters.comm, sizeof(counters.comm))},
            .pid = static_cast<pid_t>(counters.last_pid),
            .uid = one.uid};
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
