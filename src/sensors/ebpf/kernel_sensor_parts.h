// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "sensors/ebpf/bpf_object.h"
#include "sensors/ebpf/kernel_sensor.h"
#include "sensors/ebpf/ring_reader.h"

namespace vigia::sensors {

// What a KernelSensor is made of, and how it is put together.
struct KernelSensor::Parts {
    using Opened = std::expected<void, LoadFailure>;

    Options options;
    Observer observer;
    std::optional<BpfObject> process;
    std::optional<BpfObject> network;
    std::vector<LoadFailure> missing;
    std::string cgroup_path;
    UniqueFd cgroup;
    std::uint64_t ring_bytes = 0;  // of each ring, or of all perf buffers together
    Delivery delivery = Delivery::RingBuffer;
    std::atomic<std::int64_t> boot_offset = 0;  // ns, as the kernel side has it
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
    [[nodiscard]] Result<std::unique_ptr<RecordSource>> open_source() const;
    void sweep();
    Result<> write(const KernelSettings& wanted);
    void set_clock();
    Result<> arrange_block();
};

}  // namespace vigia::sensors
