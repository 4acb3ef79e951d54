// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/wildcard.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace vigia::policy {

// One bit for each token that may be next, and one for "all consumed".
struct Wildcard::States {
    std::array<std::uint64_t, (kMaxPatternBytes + 1) / 64> words{};

    [[nodiscard]] bool has(std::size_t state) const noexcept {
        return (words[state / 64] >> (state % 64) & 1U) != 0;
    }

    void set(std::size_t state) noexcept { words[state / 64] |= std::uint64_t{1} << (state % 64); }

    [[nodiscard]] bool empty() const noexcept {
        return std::ranges::all_of(words, [](std::uint64_t word) { return word == 0; });
    }
};

namespace {

std::unexpected<Complaint> refuse(std::string message) {
    return std::unexpected(Complaint{.message = std::move(message)});
}

std::size_t index_of(char byte) noexcept {
    return static_cast<unsigned char>(byte);
}

}  // namespace

// `at` stands on '['. The first byte of a class stands for itself, so "[]]" is a class of one.
Parsed<std::size_t> Wildcard::add_class(std::string_view pattern, std::size_t at) {
    const std::size_t open = at++;
    const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
    at += negated ? 1 : 0;
    std::bitset<256> set;
    const std::size_t first = at;
    for (; at < pattern.size() && (pattern[at] != ']' || at == first); ++at) {
        const std::size_t low = index_of(pattern[at]);
        std::size_t high = low;
        if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
            high = index_of(pattern[at + 2]);
            at += 2;
        }
        if (high < low) {
            return refuse(fmt::format("the range in '[' at byte {} runs backwards", open + 1));
        }
        for (std::size_t byte = low; byte <= high; ++byte) {
            set.set(byte);
        }
    }
    if (at >= pattern.size()) {
        return refuse(fmt::format("'[' at byte {} is not closed by ']'; \\[ is the bracket itself",
                                  open + 1));
    }
    if (negated) {
        set.flip();
    }
    set.reset(index_of('/'));
    if (set.none()) {
        return refuse(fmt::format("the class at byte {} matches nothing", open + 1));
    }
    tokens_.push_back({.kind = Kind::Class, .set = static_cast<std::uint8_t>(classes_.size())});
    classes_.push_back(set);
    return at + 1;
}

std::size_t Wildcard::add_stars(std::string_view pattern, std::size_t at) {
    const bool twice = at + 1 < pattern.size() && pattern[at + 1] == '*';
    if (!twice) {
        tokens_.push_back({.kind = Kind::Star});
        return at + 1;
    }
    const bool starts_component = at == 0 || pattern[at - 1] == '/';
    if (starts_component && at + 2 < pattern.size() && pattern[at + 2] == '/') {
        // "**/**/" says no more than "**/"; one token keeps enter() at a fixed cost.
        if (tokens_.empty() || tokens_.back().kind != Kind::AnyFolders) {
            tokens_.push_back({.kind = Kind::AnyFolders});
        }
        return at + 3;
    }
    tokens_.push_back({.kind = Kind::DoubleStar});
    return at + 2;
}

Parsed<std::size_t> Wildcard::add_token(std::string_view pattern, std::size_t at) {
    switch (pattern[at]) {
        case '*':
            if (pattern.substr(at, 3) == "***") {
                return refuse(fmt::format("'***' at byte {}: use * or **", at + 1));
            }
            return add_stars(pattern, at);
        case '?':
            tokens_.push_back({.kind = Kind::AnyByte});
            return at + 1;
        case '[':
            return add_class(pattern, at);
        case '\\':
            if (at + 1 == pattern.size()) {
                return refuse(R"(a '\' at the end escapes nothing; \\ is the byte itself)");
            }
            tokens_.push_back({.kind = Kind::Byte, .byte = pattern[at + 1]});
            return at + 2;
        default:
            tokens_.push_back({.kind = Kind::Byte, .byte = pattern[at]});
            return at + 1;
    }
}

Parsed<Wildcard> Wildcard::compile(std::string_view pattern) {
    if (pattern.size() > kMaxPatternBytes) {
        return refuse(
            fmt::format("{} bytes; a pattern has at most {}", pattern.size(), kMaxPatternBytes));
    }
    Wildcard compiled;
    std::size_t at = 0;
    while (at < pattern.size()) {
        auto next = compiled.add_token(pattern, at);
        if (!next) {
            return std::unexpected(std::move(next).error());
        }
        at = *next;
    }
    compiled.split_prefix();
    return compiled;
}

void Wildcard::split_prefix() {
    const auto plain =
        std::ranges::find_if(tokens_, [](const Token& token) { return token.kind != Kind::Byte; });
    std::for_each(tokens_.begin(), plain, [this](const Token& token) { prefix_ += token.byte; });
    tokens_.erase(tokens_.begin(), plain);
}

// A state and those reached from it without a byte. No two stars stand side by side, so these are
// three at most.
void Wildcard::enter(States& states, std::size_t state) const noexcept {
    states.set(state);
    if (state < tokens_.size() &&
        (tokens_[state].kind == Kind::Star || tokens_[state].kind == Kind::DoubleStar)) {
        states.set(++state);
    }
    // "**/" may be nothing only where a component begins, which is where it is entered.
    if (state < tokens_.size() && tokens_[state].kind == Kind::AnyFolders) {
        enter(states, state + 1);
    }
}

void Wildcard::advance(States& next, std::size_t state, char byte) const noexcept {
    const Token& token = tokens_[state];
    switch (token.kind) {
        case Kind::Byte:
            if (byte == token.byte) {
                enter(next, state + 1);
            }
            break;
        case Kind::AnyByte:
            if (byte != '/') {
                enter(next, state + 1);
            }
            break;
        case Kind::Class:
            if (classes_[token.set].test(index_of(byte))) {
                enter(next, state + 1);
            }
            break;
        case Kind::Star:
            if (byte != '/') {
                enter(next, state);
            }
            break;
        case Kind::DoubleStar:
            enter(next, state);
            break;
        case Kind::AnyFolders:
            next.set(state);
            if (byte == '/') {
                enter(next, state + 1);
            }
            break;
    }
}

bool Wildcard::matches(std::string_view path) const noexcept {
    if (!path.starts_with(prefix_)) {
        return false;
    }
    States states;
    enter(states, 0);
    for (const char byte : path.substr(prefix_.size())) {
        States next;
        for (std::size_t word = 0; word < states.words.size(); ++word) {
            for (auto bits = states.words[word]; bits != 0; bits &= bits - 1) {
                const auto state = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
                if (state < tokens_.size()) {
                    advance(next, state, byte);
                }
            }
        }
        if (next.empty()) {
            return false;
        }
        states = next;
    }
    return states.has(tokens_.size());
}

}  // namespace vigia::policy
