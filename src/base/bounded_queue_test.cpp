// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace vigia {
namespace {

using namespace std::chrono_literals;

TEST(BoundedQueueTest, RefusesWhatDoesNotFitAndLeavesItUntouched) {
    BoundedQueue<std::unique_ptr<int>> queue(1);
    EXPECT_TRUE(queue.try_push(std::make_unique<int>(1)));
    EXPECT_FALSE(queue.try_push(std::make_unique<int>(2)));
    auto third = std::make_unique<int>(3);
    EXPECT_FALSE(queue.push(std::move(third), 1ms));
    ASSERT_NE(third, nullptr);
    EXPECT_EQ(*queue.pop(1ms).value(), 1);
    EXPECT_TRUE(queue.push(std::move(third), 1ms));
}

TEST(BoundedQueueTest, DrainsAfterCloseAndThenSaysNothingAtOnce) {
    BoundedQueue<int> queue(4);
    EXPECT_TRUE(queue.try_push(1));
    queue.close();
    EXPECT_FALSE(queue.try_push(2));
    EXPECT_EQ(queue.pop(10s), 1);
    EXPECT_EQ(queue.pop(10s), std::nullopt);
}

TEST(BoundedQueueTest, AWriterThatWaitsGoesOnWhenAReaderMakesRoom) {
    BoundedQueue<int> queue(1);
    ASSERT_TRUE(queue.try_push(1));
    std::jthread reader([&] { EXPECT_EQ(queue.pop(10s), 1); });
    EXPECT_TRUE(queue.push(2, 10s));
    reader.join();
    EXPECT_EQ(queue.size(), 1U);
}

}  // namespace
}  // namespace vigia
