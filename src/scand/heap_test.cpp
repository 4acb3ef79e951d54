// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/heap.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <vector>

namespace vigia::scand {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VIGIA_OWN_MALLOC
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VIGIA_OWN_MALLOC
#endif
#endif

// As the engine does for a file: some large pieces, all freed at its end.
void work_on_a_file() {
    constexpr std::size_t kPiece = std::size_t{1} << 20U;
    constexpr int kPieces = 20;
    std::vector<std::unique_ptr<char[]>> pieces;
    for (int i = 0; i < kPieces; ++i) {
        pieces.push_back(std::make_unique<char[]>(kPiece));
        EXPECT_EQ(::mallinfo2().hblkhd, 0U) << "a mapping of its own goes back when it is freed";
    }
}

TEST(Heap, KeepsWhatAFileNeededForTheNextOne) {
#ifdef VIGIA_OWN_MALLOC
    GTEST_SKIP() << "the sanitizer's allocator is not glibc's";
#endif
    keep_freed_memory();
    work_on_a_file();
    const auto kept = ::mallinfo2().arena;
    constexpr std::size_t kNeeded = std::size_t{20} << 20U;
    EXPECT_GE(kept, kNeeded);
    work_on_a_file();
    EXPECT_EQ(::mallinfo2().arena, kept) << "the heap shrank or grew";
}

}  // namespace
}  // namespace vigia::scand
