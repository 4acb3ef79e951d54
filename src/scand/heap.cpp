// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/heap.h"

#include <malloc.h>

namespace vigia::scand {

void keep_freed_memory() noexcept {
    // glibc allows no more than half of HEAP_MAX_SIZE, 32 MiB on 64 bits.
    constexpr int kLargestFromHeap = 32 << 20;
    constexpr int kGrowBy = 4 << 20;
    // NOLINTBEGIN(concurrency-mt-unsafe): before any thread
    ::mallopt(M_MMAP_THRESHOLD, kLargestFromHeap);
    ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(kKeptHeap));
    ::mallopt(M_TOP_PAD, kGrowBy);
    // NOLINTEND(concurrency-mt-unsafe)
}

}  // namespace vigia::scand
