// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/generation_cache.h"

#include <gtest/gtest.h>

namespace vigia::sensors {
namespace {

TEST(GenerationCache, NeverHoldsMoreThanItsCapacity) {
    GenerationCache<int, int> cache(100);
    for (int key = 0; key < 10'000; ++key) {
        cache.put(key, key);
        ASSERT_LE(cache.size(), 100U);
    }
}

TEST(GenerationCache, KeepsWhatIsUsedAndDropsTheRest) {
    GenerationCache<int, int> cache(100);
    cache.put(-1, 7);
    for (int key = 0; key < 1000; ++key) {
        cache.put(key, key);
        ASSERT_NE(cache.find(-1), nullptr) << key;
    }
    EXPECT_EQ(*cache.find(-1), 7);
    EXPECT_EQ(cache.find(0), nullptr);
}

TEST(GenerationCache, HasOneValueForAKey) {
    GenerationCache<int, int> cache(4);
    cache.put(1, 1);
    cache.put(2, 2);
    cache.put(3, 3);  // 1 and 2 are in the old half now
    cache.put(1, 10);
    EXPECT_EQ(*cache.find(1), 10);
    cache.erase(1);
    EXPECT_EQ(cache.find(1), nullptr);
    cache.clear();
    EXPECT_TRUE(cache.is_empty());
}

}  // namespace
}  // namespace vigia::sensors
