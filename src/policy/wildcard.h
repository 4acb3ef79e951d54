// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/values.h"

namespace vigia::policy {

// A path pattern, compiled. Bytes are matched, not characters:
//   *       any bytes but '/', also none
//   **      any bytes, '/' too; "**/" also matches nothing, so "/a/**/b" matches "/a/b"
//   ?       one byte but '/'
//   [a-z]   one byte of the class but '/'; [!a-z] one outside it
//   \x      x itself
// Matching walks the path once with the set of states that are possible: at most
// kMaxPatternBytes steps a byte whatever the pattern, without allocation, safe on any thread.
class Wildcard {
public:
    static constexpr std::size_t kMaxPatternBytes = 255;

    [[nodiscard]] static Parsed<Wildcard> compile(std::string_view pattern);

    [[nodiscard]] bool matches(std::string_view path) const noexcept;

private:
    enum class Kind : std::uint8_t { Byte, AnyByte, Class, Star, DoubleStar, AnyFolders };

    struct Token {
        Kind kind = Kind::Byte;
        char byte = 0;
        std::uint8_t set = 0;  // index into classes_
    };

    struct States;

    [[nodiscard]] Parsed<std::size_t> add_class(std::string_view pattern, std::size_t at);
    [[nodiscard]] std::size_t add_stars(std::string_view pattern, std::size_t at);
    [[nodiscard]] Parsed<std::size_t> add_token(std::string_view pattern, std::size_t at);
    void split_prefix();
    void enter(States& states, std::size_t state) const noexcept;
    void advance(States& next, std::size_t state, char byte) const noexcept;

    std::string prefix_;         // plain bytes that come first: most paths already differ there
    std::vector<Token> tokens_;  // what follows
    std::vector<std::bitset<256>> classes_;
};

}  // namespace vigia::policy
