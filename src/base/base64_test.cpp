// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/base64.h"

#include <gtest/gtest.h>

namespace vigia {
namespace {

TEST(Base64, WhatWasEncodedComesBackWhateverTheBytesAre) {
    std::string bytes;
    for (int length = 0; length < 300; ++length) {
        EXPECT_EQ(from_base64(base64(bytes)), bytes) << length;
        bytes += static_cast<char>(length * 7);
    }
}

TEST(Base64, AnythingElseIsNothing) {
    for (const char* odd : {"A", "AA", "AAA", "AAAAA", "A===", "====", "AA=A", "AAA\n", "AA-_"}) {
        EXPECT_EQ(from_base64(odd), std::nullopt) << odd;
    }
}

}  // namespace
}  // namespace vigia
