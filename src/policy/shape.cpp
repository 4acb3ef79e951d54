// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "base/text.h"

namespace vigia::policy {
namespace {

bool continues_character(char byte) noexcept {
    return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U;
}

Position position_of(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, offset);
    const auto lines = std::ranges::count(before, '\n');
    const auto start = before.rfind('\n');
    const auto line = start == std::string_view::npos ? before : before.substr(start + 1);
    const auto characters =
        std::ranges::count_if(line, [](char byte) { return !continues_character(byte); });
    return {.line = static_cast<unsigned>(lines + 1),
            .column = static_cast<unsigned>(characters + 1)};
}

std::size_t first_invalid(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t length = 1;
        while (length < 4 && at + length < text.size() && continues_character(text[at + length])) {
            ++length;
        }
        if (!is_valid_utf8(text.substr(at, length))) {
            return at;
        }
        at += length;
    }
    return at;
}

// Follows the brackets and the dots of keys, passing over strings and comments as TOML cuts them.
// Where the text is not TOML the two may disagree, but then the parser stops there as well.
class NestingScan {
public:
    explicit NestingScan(std::string_view text) : text_(text) {}

    // Offset of what goes too deep, or npos.
    std::size_t run() {
        while (at_ < text_.size()) {
            if (!step()) {
                return at_;
            }
        }
        return std::string_view::npos;
    }

private:
    bool step() {
        const char byte = text_[at_];
        if (byte == '"' || byte == '\'') {
            pass_string(byte);
            return true;
        }
        if (byte == '#') {
            at_ = std::min(text_.find('\n', at_), text_.size());
            return true;
        }
        if (byte == '.') {
            ++parts_;
        } else if (byte == '[' || byte == '{') {
            ++depth_;
            parts_ = 0;
        } else if (byte == ']' || byte == '}') {
            depth_ -= depth_ > 0 ? 1 : 0;
            parts_ = 0;
        } else if (byte == '=' || byte == ',' || byte == '\n') {
            parts_ = 0;
        }
        if (depth_ > kMaxNesting || parts_ > kMaxNesting) {
            return false;
        }
        ++at_;
        return true;
    }

    void pass_string(char quote) {
        const std::string_view rest = text_.substr(at_);
        const bool triple = rest.size() >= 3 && rest[1] == quote && rest[2] == quote;
        at_ += triple ? 3 : 1;
        while (at_ < text_.size()) {
            const char byte = text_[at_];
            if (quote == '"' && byte == '\\') {
                at_ += 2;
            } else if (!triple && (byte == quote || byte == '\n')) {
                ++at_;
                return;
            } else if (triple && text_.substr(at_, 3) == std::string(3, quote)) {
                pass_closing(quote);
                return;
            } else {
                ++at_;
            }
        }
        at_ = text_.size();
    }

    // A multi-line string may end in up to two quotes of its own before the three that close it.
    void pass_closing(char quote) {
        for (int quotes = 0; quotes < 5 && at_ < text_.size() && text_[at_] == quote; ++quotes) {
            ++at_;
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::size_t parts_ = 0;
};

}  // namespace

std::optional<SyntaxError> shape_error(std::string_view text) {
    if (text.size() > kMaxPolicyBytes) {
        return SyntaxError{
            .at = {.line = 1, .column = 1},
            .message = fmt::format("the file has {} bytes; a policy may have at most {}",
                                   text.size(),
                                   kMaxPolicyBytes)};
    }
    if (!is_valid_utf8(text)) {
        return SyntaxError{.at = position_of(text, first_invalid(text)),
                           .message = "not valid UTF-8; TOML files are UTF-8 text"};
    }
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        return SyntaxError{.at = position_of(text, nul), .message = "a NUL byte is not text"};
    }
    if (const auto deep = NestingScan{text}.run(); deep != std::string_view::npos) {
        return SyntaxError{.at = position_of(text, deep),
                           .message = fmt::format("nested more than {} deep", kMaxNesting)};
    }
    return std::nullopt;
}

}  // namespace vigia::policy
