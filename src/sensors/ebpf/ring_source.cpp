// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <utility>

#include "base/unique_fd.h"
#include "sensors/ebpf/record_source.h"

namespace vigia::sensors {
namespace {

struct RingsDeleter {
    void operator()(ring_buffer* rings) const noexcept { ring_buffer__free(rings); }
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

    [[nodiscard]] std::uint64_t bytes_of_each() const override { return bytes_of_each_; }

private:
    static int on_sample(void* self, void* data, std::size_t size) {
        const auto& take = *static_cast<Rings*>(self)->take_;
        return take(std::span(static_cast<const std::byte*>(data), size)) ? 0 : -EINTR;
    }

    std::uint64_t bytes_of_each_;
    std::unique_ptr<ring_buffer, RingsDeleter> rings_;
    std::vector<int> watched_;
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
