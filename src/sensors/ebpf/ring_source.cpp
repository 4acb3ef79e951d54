// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"
#include "sensors/ebpf/record_source.h"

namespace vigia::sensors {
namespace {

struct RingsDeleter {
    void operator()(ring_buffer* rings) const noexcept { ring_buffer__free(rings); }
};

// The kernel's two positions of one ring, which grow for ever. Layout of a ring-buffer map
// (include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c): one page with the reader's position, one with
// the writer's, both read-only for whom does not read.
class Gauge {
public:
    [[nodiscard]] static Result<Gauge> open(int ring) {
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        bpf_map_info info{};
        std::uint32_t length = sizeof info;
        if (bpf_obj_get_info_by_fd(ring, &info, &length) != 0) {
            return fail_errno("size of a ring");
        }
        Gauge gauge;
        gauge.size_ = info.max_entries;
        for (const auto& [at, into] :
             {std::pair{std::size_t{0}, &gauge.consumed_}, std::pair{page, &gauge.produced_}}) {
            void* mapped =
                ::mmap(nullptr, page, PROT_READ, MAP_SHARED, ring, static_cast<off_t>(at));
            if (mapped == MAP_FAILED) {
                return fail_errno("map the positions of a ring");
            }
            *into = static_cast<const unsigned long*>(mapped);
        }
        return gauge;
    }

    Gauge(Gauge&& other) noexcept
        : consumed_(std::exchange(other.consumed_, nullptr)),
          produced_(std::exchange(other.produced_, nullptr)),
          size_(other.size_) {}

    Gauge& operator=(Gauge&&) = delete;
    Gauge(const Gauge&) = delete;
    Gauge& operator=(const Gauge&) = delete;

    ~Gauge() {
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        for (const auto* mapped : {consumed_, produced_}) {
            if (mapped != nullptr) {
                // NOLINTNEXTLINE(*-const-cast): of munmap
                ::munmap(const_cast<unsigned long*>(mapped), page);
            }
        }
    }

    [[nodiscard]] double fill() const {
        // The reader's first: it may only grow until the other is read, which makes it look fuller.
        const auto consumed = __atomic_load_n(consumed_, __ATOMIC_ACQUIRE);
        const auto produced = __atomic_load_n(produced_, __ATOMIC_ACQUIRE);
        return std::min(1.0, static_cast<double>(produced - consumed) / static_cast<double>(size_));
    }

private:
    Gauge() = default;

    const unsigned long* consumed_ = nullptr;
    const unsigned long* produced_ = nullptr;
    std::uint64_t size_ = 1;
};

class Rings final : public RecordSource {
public:
    explicit Rings(std::uint64_t bytes_of_each) : bytes_of_each_(bytes_of_each) {}

    Result<> map(std::span<const int> rings) {
        watched_.assign(rings.begin(), rings.end());
        for (const int ring : rings) {
            if (!rings_) {
                rings_.reset(ring_buffer__new(ring, on_sample, this, nullptr));
            } else if (ring_buffer__add(rings_.get(), ring, on_sample, this) != 0) {
                return fail_errno("map a ring");
            }
            if (!rings_) {
                return fail_errno("map a ring");
            }
            gauges_.push_back(TRY(Gauge::open(ring)));
        }
        return {};
    }

    [[nodiscard]] std::span<const int> descriptors() const override { return watched_; }

    [[nodiscard]] bool can_be_watched_anew() const override { return true; }

    [[nodiscard]] bool wakes_for_each() const override { return false; }

    [[nodiscard]] bool read(const Take& take) override {
        take_ = &take;
        ring_buffer__consume(rings_.get());
        return true;
    }

    [[nodiscard]] double fill() const override {
        double fullest = 0;
        for (const auto& gauge : gauges_) {
            fullest = std::max(fullest, gauge.fill());
        }
        return fullest;
    }

    [[nodiscard]] std::uint64_t bytes_of_each() const override { return bytes_of_each_; }

private:
    static int on_sample(void* self, void* data, std::size_t size) {
        const auto& take = *static_cast<Rings*>(self)->take_;
        return take(std::span(static_cast<const std::byte*>(data), size)) ? 0 : -EINTR;
    }

    std::uint64_t bytes_of_each_;
    std::unique_ptr<ring_buffer, RingsDeleter> rings_;
    std::vector<int> watched_;
    std::vector<Gauge> gauges_;
    const Take* take_ = nullptr;
};

}  // namespace

Delivery best_delivery() {
    constexpr std::uint32_t kSmall = 65536;  // a multiple of any page
    const UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "vigia_probe", 0, 0, kSmall, nullptr));
    return !ring && errno == EINVAL ? Delivery::PerfBuffer : Delivery::RingBuffer;
}

Result<std::unique_ptr<RecordSource>> open_rings(std::span<const int> rings,
                                                 std::uint64_t bytes_of_each) {
    auto source = std::make_unique<Rings>(bytes_of_each);
    TRY(source->map(rings));
    return source;
}

}  // namespace vigia::sensors
