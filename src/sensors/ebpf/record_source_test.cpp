// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/record_source.h"

#include <gtest/gtest.h>

#include <vector>

namespace vigia::sensors {
namespace {

std::vector<ClassBooks> after(std::vector<ClassBooks> books,
                              const std::vector<std::uint64_t>& received,
                              std::uint64_t reader_lost) {
    attribute_losses(books, received, reader_lost);
    return books;
}

TEST(PerfLosses, WhatTheProgramsKnowOfIsNotCountedTwice) {
    EXPECT_EQ(
        after({{.delivered = 90, .lost = 10}, {.delivered = 5, .lost = 2}}, {90, 5}, 12),
        (std::vector<ClassBooks>{{.delivered = 90, .lost = 10}, {.delivered = 5, .lost = 2}}));
}

TEST(PerfLosses, WhatOnlyTheReaderKnowsOfGoesToTheClassesThatLack) {
    EXPECT_EQ(after({{.delivered = 100}, {.delivered = 7}, {.delivered = 50}}, {88, 7, 47}, 15),
              (std::vector<ClassBooks>{{.delivered = 88, .lost = 12},
                                       {.delivered = 7, .lost = 0},
                                       {.delivered = 47, .lost = 3}}));
}

TEST(PerfLosses, WhatIsUnderWayIsNotLost) {
    EXPECT_EQ(after({{.delivered = 100}}, {40}, 0), (std::vector<ClassBooks>{{.delivered = 100}}));
    EXPECT_EQ(after({{.delivered = 100}}, {40}, 10),
              (std::vector<ClassBooks>{{.delivered = 90, .lost = 10}}));
}

TEST(PerfLosses, MoreReceivedThanHandedOverIsOneReadALittleLater) {
    EXPECT_EQ(after({{.delivered = 3}}, {4}, 9), (std::vector<ClassBooks>{{.delivered = 3}}));
}

}  // namespace
}  // namespace vigia::sensors
