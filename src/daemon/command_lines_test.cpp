// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/command_lines.h"

#include <gtest/gtest.h>

#include <string>

namespace vigia::daemon {
namespace {

using namespace std::string_literals;

TEST(CommandLines, SecretsAreReplacedAlsoWhereTheyAreAnArgumentOfTheirOwn) {
    const CommandLines lines({.redact = {"(password|token)=\\S+", "--user \\S+"}});
    EXPECT_EQ(lines.text_of("curl\0--user\0ana:1234\0https://x?token=abc\0-v\0"s),
              "curl *** https://x?*** -v");
}

TEST(CommandLines, WithoutTheWishThereIsNone) {
    const CommandLines lines({.capture_command_line = false});
    EXPECT_EQ(lines.text_of("mysql\0-psecret\0"s), "");
}

TEST(CommandLines, AnyBytesAreTakenAndOnlySoMany) {
    const CommandLines lines({.redact = {"x+y"}});
    EXPECT_EQ(lines.text_of(std::string(5000, 'x')).size(), 1024U);
    EXPECT_EQ(lines.text_of("\xff\0\x01"s), "\xff \x01");
    EXPECT_EQ(lines.text_of(""), "");
}

}  // namespace
}  // namespace vigia::daemon
