// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <unistd.h>
#include <vigia_records.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "sensors/ebpf/record_source.h"

namespace vigia::sensors {
namespace {

struct BuffersDeleter {
    void operator()(perf_buffer* buffers) const noexcept { perf_buffer__free(buffers); }
};

class PerfBuffers final : public RecordSource {
public:
    Result<> map(int array, std::uint64_t bytes) {
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        auto pages = std::bit_ceil(std::max<std::uint64_t>((bytes + page - 1) / page, 1));
        for (;; pages /= 2) {
            buffers_.reset(perf_buffer__new(array, pages, on_sample, on_lost, this, nullptr));
            if (buffers_) {
                break;
            }
            // EPERM: more than this user may lock; the size of the share depends on the host.
            if (pages == 1 || (errno != EPERM && errno != ENOMEM)) {
                return fail_errno("map the perf buffers");
            }
        }
        bytes_ = pages * page;
        for (std::size_t i = 0; i < perf_buffer__buffer_cnt(buffers_.get()); ++i) {
            watched_.push_back(perf_buffer__buffer_fd(buffers_.get(), i));
            void* mapped = nullptr;
            std::size_t size = 0;
            if (perf_buffer__buffer(buffers_.get(), static_cast<int>(i), &mapped, &size) == 0) {
                positions_.push_back(static_cast<const perf_event_mmap_page*>(mapped));
            }
        }
        return {};
    }

    [[nodiscard]] std::span<const int> descriptors() const override { return watched_; }

    // Asking such a descriptor whether it is readable takes the answer away from whoever asks next.
    [[nodiscard]] bool can_be_watched_anew() const override { return false; }

    [[nodiscard]] bool wakes_for_each() const override { return true; }

    [[nodiscard]] bool read(const Take& take) override {
        // Each buffer is in order, but they are read one after the other: what came later than this
        // waits until what may have been before it, in a buffer read already, is read as well.
        const auto until = static_cast<std::uint64_t>(Clock::boot().time_since_epoch().count());
        perf_buffer__consume(buffers_.get());
        // Of the same moment: as read, so that those of one processor stay in order.
        std::ranges::sort(
            records_, {}, [](const Record& one) { return std::pair(one.time_ns, one.begin); });
        const auto later = std::ranges::upper_bound(records_, until, {}, &Record::time_ns);
        auto at = records_.begin();
        for (bool more = true; at != later && more; ++at) {
            more = take(std::span(bytes_read_).subspan(at->begin, at->size));
        }
        keep(at);
        return records_.empty();
    }

    [[nodiscard]] double fill() const override {
        double fullest = 0;
        for (const auto* position : positions_) {
            // As with a ring: the reader's position first.
            const auto tail = __atomic_load_n(&position->data_tail, __ATOMIC_ACQUIRE);
            const auto head = __atomic_load_n(&position->data_head, __ATOMIC_ACQUIRE);
            fullest =
                std::max(fullest, static_cast<double>(head - tail) / static_cast<double>(bytes_));
        }
        return std::min(1.0, fullest);
    }

    [[nodiscard]] std::uint64_t lost() const override { return lost_; }

    [[nodiscard]] std::vector<std::uint64_t> received() const override {
        return {received_.begin(), received_.end()};
    }

    [[nodiscard]] std::uint64_t bytes_of_each() const override { return bytes_; }

private:
    struct Record {
        std::uint64_t time_ns = 0;
        std::size_t begin = 0;  // in bytes_read_
        std::size_t size = 0;
    };

    void keep(std::vector<Record>::iterator from) {
        std::vector<std::byte> rest;
        for (auto at = from; at != records_.end(); ++at) {
            const auto bytes = std::span(bytes_read_).subspan(at->begin, at->size);
            at->begin = rest.size();
            rest.insert(rest.end(), bytes.begin(), bytes.end());
        }
        records_.erase(records_.begin(), from);
        bytes_read_.swap(rest);
    }

    static void on_sample(void* self, int /*cpu*/, void* data, std::uint32_t size) {
        auto& buffers = *static_cast<PerfBuffers*>(self);
        vigia_header header{};
        std::memcpy(&header, data, std::min<std::size_t>(size, sizeof(header)));
        // The kernel rounds up what it hands over. What does not know its size is passed on whole,
        // so that it is counted as not understood.
        const auto real = header.size <= size ? header.size : size;
        const auto bytes = std::span(static_cast<const std::byte*>(data), real);
        buffers.records_.push_back(
            {.time_ns = header.time_ns, .begin = buffers.bytes_read_.size(), .size = real});
        buffers.bytes_read_.insert(buffers.bytes_read_.end(), bytes.begin(), bytes.end());
        if (header.event_class < buffers.received_.size()) {
            ++buffers.received_.at(header.event_class);
        }
    }

    static void on_lost(void* self, int /*cpu*/, unsigned long long count) {
        static_cast<PerfBuffers*>(self)->lost_ += count;
    }

    std::unique_ptr<perf_buffer, BuffersDeleter> buffers_;
    std::vector<int> watched_;
    std::vector<const perf_event_mmap_page*> positions_;  // in the mappings of buffers_
    std::uint64_t bytes_ = 0;
    // Read and not yet told: at most what the buffers hold, twice.
    std::vector<Record> records_;
    std::vector<std::byte> bytes_read_;
    std::atomic<std::uint64_t> lost_ = 0;
    std::array<std::atomic<std::uint64_t>, VIGIA_CLASSES> received_{};
};

}  // namespace

Result<std::unique_ptr<RecordSource>> open_perf_buffers(int map, std::uint64_t bytes) {
    auto source = std::make_unique<PerfBuffers>();
    TRY(source->map(map, bytes));
    return source;
}

void attribute_losses(std::span<ClassBooks> books,
                      std::span<const std::uint64_t> received,
                      std::uint64_t reader_lost) {
    for (const auto& one : books) {
        reader_lost -= std::min(reader_lost, one.lost);
    }
    for (std::size_t i = 0; i < std::min(books.size(), received.size()); ++i) {
        auto& one = books[i];
        const auto absent = one.delivered - std::min(one.delivered, received[i]);
        const auto gone = std::min(absent, reader_lost);
        one.delivered -= gone;
        one.lost += gone;
        reader_lost -= gone;
    }
}

}  // namespace vigia::sensors
