// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/object_turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace vigia::daemon {
namespace {

using namespace std::chrono_literals;

ObjectId object(const std::string& handle) {
    return {.fs = {.word0 = 1, .word1 = 2}, .handle = {.type = 1, .bytes = handle}};
}

TEST(ObjectTurns, TheSecondOneWaitsForTheFirst) {
    ObjectTurns turns;
    std::atomic<bool> ended = false;
    std::atomic<bool> was_ended = false;
    auto first = turns.take(object("a"), 1s);
    ASSERT_TRUE(first);
    std::jthread second([&] {
        const auto turn = turns.take(object("a"), 60s);
        was_ended = turn.has_value() && ended;
    });
    EXPECT_FALSE(turns.take(object("a"), 50ms)) << "taken by the first";
    ended = true;
    first.reset();
    second.join();
    EXPECT_TRUE(was_ended);
}

TEST(ObjectTurns, OtherObjectsAndThoseWithoutAHandleWaitForNobody) {
    ObjectTurns turns;
    const auto one = turns.take(object("a"), 1s);
    EXPECT_TRUE(turns.take(object("b"), 1s));
    const auto nameless = turns.take(object(""), 1s);
    EXPECT_TRUE(turns.take(object(""), 1s));
}

TEST(ObjectTurns, ATurnEndsOnceHoweverOftenItIsMoved) {
    ObjectTurns turns;
    {
        auto turn = turns.take(object("a"), 1s);
        ASSERT_TRUE(turn);
        const auto moved = std::move(*turn);
        turn.reset();
        EXPECT_FALSE(turns.take(object("a"), 1ms));
    }
    EXPECT_TRUE(turns.take(object("a"), 1s));
}

}  // namespace
}  // namespace vigia::daemon
