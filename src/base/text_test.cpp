// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"

#include <gtest/gtest.h>

namespace vigia {
namespace {

TEST(ShellQuoted, GivesOneWordForAnyBytes) {
    EXPECT_EQ(shell_quoted("/srv/a-b_c.1"), "/srv/a-b_c.1");
    EXPECT_EQ(shell_quoted(""), "''");
    EXPECT_EQ(shell_quoted("a b"), "'a b'");
    EXPECT_EQ(shell_quoted("it's"), R"('it'\''s')");
    EXPECT_EQ(shell_quoted("ni\u00f1o"), "'ni\u00f1o'");
    EXPECT_EQ(shell_quoted("a\nb'\\"), R"($'a\x0ab\'\\')");
    EXPECT_EQ(shell_quoted("\xff"), R"($'\xff')");
}

TEST(Utf8, AcceptsOnlyTheShortestFormsOfRealCharacters) {
    EXPECT_TRUE(is_valid_utf8("plain, ñandú, 語, 😀"));
    EXPECT_TRUE(is_valid_utf8(""));
    EXPECT_FALSE(is_valid_utf8("\xc0\xaf"));          // overlong '/'
    EXPECT_FALSE(is_valid_utf8("\xed\xa0\x80"));      // a surrogate
    EXPECT_FALSE(is_valid_utf8("\xf4\x90\x80\x80"));  // above U+10FFFF
    EXPECT_FALSE(is_valid_utf8("cut \xe2\x82"));
}

TEST(Printable, LeavesOrdinaryTextAlone) {
    EXPECT_EQ(printable("/srv/año nuevo/語.txt"), "/srv/año nuevo/語.txt");
}

TEST(Printable, ShowsWhatWouldMoveTheCursorOrTurnTheText) {
    EXPECT_EQ(printable("a\nb\x1b[31m"), "a\\nb\\x1b[31m");
    EXPECT_EQ(printable("\xe2\x80\xae"), "\\u202e");
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("\xc2\x9b"), "\\x9b");  // the one-byte form of ESC [
    EXPECT_EQ(printable("back\\slash"), "back\\\\slash");
}

TEST(Harmless, DoesNotEscapeAgainWhatIsEscaped) {
    const auto sentence = "rm -- " + shell_quoted("/srv/a\nb") + ", " + printable("c\nd");
    EXPECT_EQ(harmless(sentence), sentence);
    EXPECT_EQ(harmless("a\n\x1b[31m\\"), "a\\n\\x1b[31m\\");
}

TEST(Printable, GivesNoControlCharacterForAnyByte) {
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string bytes{static_cast<char>(first), static_cast<char>(second)};
            for (const char c : printable(bytes)) {
                EXPECT_GE(static_cast<unsigned char>(c), 0x20U);
                EXPECT_NE(c, '\x7f');
            }
            EXPECT_TRUE(is_valid_utf8(utf8_lossy(bytes)));
        }
    }
}

TEST(Base64, EncodesAllThreeRests) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("\xff\xfe"), "//4=");
}

TEST(Hex, GoesBothWaysAndRefusesTheRest) {
    const auto bytes = from_hex("00ffA5");
    ASSERT_TRUE(bytes);
    EXPECT_EQ(to_hex(*bytes), "00ffa5");
    EXPECT_FALSE(from_hex("0"));
    EXPECT_FALSE(from_hex("0g"));
}

}  // namespace
}  // namespace vigia
