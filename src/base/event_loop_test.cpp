// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

namespace vigia {
namespace {

using namespace std::chrono_literals;

TEST(EventLoopTest, RunsPostedTasksTimersAndDescriptorsUntilStopped) {
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop.has_value());
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    int ticks = 0;
    bool readable = false;
    const auto io = (*loop)->on_io(ends[0], EPOLLIN, [&](std::uint32_t) {
        std::array<char, 1> byte{};
        readable = ::read(ends[0], byte.data(), 1) == 1;
    });
    const auto timer = (*loop)->every(1ms, [&] {
        if (++ticks == 3) {
            (*loop)->stop(42);
        }
    });
    const std::jthread other([&] { (*loop)->post([&] { (void)!::write(ends[1], "x", 1); }); });
    EXPECT_EQ((*loop)->run().value(), 42);
    EXPECT_TRUE(readable);
    EXPECT_EQ(ticks, 3);
    EXPECT_FALSE((*loop)->post([] {})) << "the loop has stopped";
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(EventLoopTest, ADestroyedSourceIsSilent) {
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop.has_value());
    bool fired = false;
    auto gone = (*loop)->after(1ms, [&] { fired = true; });
    gone->reset();
    const auto end = (*loop)->after(20ms, [&] { (*loop)->stop(0); });
    EXPECT_EQ((*loop)->run().value(), 0);
    EXPECT_FALSE(fired);
}

TEST(EventLoopTest, ASignalArrivesOnTheLoop) {
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop.has_value());
    const auto signal = (*loop)->on_signal(SIGUSR1, [&] { (*loop)->stop(1); });
    ASSERT_TRUE(signal.has_value());
    ::raise(SIGUSR1);
    EXPECT_EQ((*loop)->run().value(), 1);
}

}  // namespace
}  // namespace vigia
