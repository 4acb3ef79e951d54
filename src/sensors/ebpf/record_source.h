// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vigia::sensors {

// How records come from the kernel side, which is built for each (bpf/vigia_common.h).
enum class Delivery : std::uint8_t {
    RingBuffer,  // Linux 5.8
    PerfBuffer,  // Linux 4.18: one buffer for each processor
};

inline constexpr std::array<std::string_view, 2> kDeliveryNames{"ring-buffer", "perf-buffer"};

// By asking the kernel for a ring buffer. Any other refusal is the loading's to explain.
[[nodiscard]] Delivery best_delivery();

// Where RingReader reads. Used by one thread but for fill(), lost() and received().
class RecordSource {
public:
    // False: no more for now.
    using Take = std::function<bool(std::span<const std::byte>)>;

    RecordSource() = default;
    RecordSource(const RecordSource&) = delete;
    RecordSource& operator=(const RecordSource&) = delete;
    virtual ~RecordSource() = default;

    // Readable (EPOLLIN, by edges) when there may be something to read.
    [[nodiscard]] virtual std::span<const int> descriptors() const = 0;
    // Whether changing the watch of a descriptor looks into it once; else it must be left alone.
    [[nodiscard]] virtual bool can_be_watched_anew() const = 0;
    // Whether each record wakes the reader, so that gathering has to be a sleep.
    [[nodiscard]] virtual bool wakes_for_each() const = 0;
    // What is there. True: all of it; false: some was held back, because another processor may
    // still tell what was before it.
    [[nodiscard]] virtual bool read(const Take& take) = 0;

    // How full the fullest buffer is, 0 to 1.
    [[nodiscard]] virtual double fill() const = 0;

    // Records that the reader found to be lost, as far as the kernel says it here.
    [[nodiscard]] virtual std::uint64_t lost() const { return 0; }

    // Records read, of each class of enum vigia_class; empty: not counted.
    [[nodiscard]] virtual std::vector<std::uint64_t> received() const { return {}; }

    [[nodiscard]] virtual std::uint64_t bytes_of_each() const = 0;
};

// Descriptors of ring-buffer maps, which outlive the source; read in this order.
[[nodiscard]] Result<std::unique_ptr<RecordSource>> open_rings(std::span<const int> rings,
                                                               std::uint64_t bytes_of_each);

// A perf event array, which outlives the source. `bytes` for each processor, rounded up to a power
// of two of pages; less, if the limit on locked memory does not allow it. Records are read in the
// order of time over all processors, whichever object of the kernel side they are from.
[[nodiscard]] Result<std::unique_ptr<RecordSource>> open_perf_buffers(int map, std::uint64_t bytes);

// Kernels before 5.1 do not tell the program that a record was lost, only the reader, and there
// without its class. Moves those from `delivered` to `lost`: `reader_lost` less what the programs
// know of, to the classes of which fewer were received than handed over. Pure.
struct ClassBooks {
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;

    bool operator==(const ClassBooks&) const = default;
};

void attribute_losses(std::span<ClassBooks> books,
                      std::span<const std::uint64_t> received,
                      std::uint64_t reader_lost);

}  // namespace vigia::sensors
