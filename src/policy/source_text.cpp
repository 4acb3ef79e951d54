// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/source_text.h"

#include <algorithm>

namespace vigia::policy {
namespace {

constexpr auto kNone = std::string_view::npos;
constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kMark = "\xef\xbb\xbf";  // a byte-order mark; the parser skips it

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

bool has(std::string_view set, char c) {
    return set.find(c) != kNone;
}

// Behind a string in any of the four notations.
std::size_t string_end(std::string_view text, std::size_t begin) {
    const char quote = text[begin];
    const std::string three(3, quote);
    const bool many_lines = text.substr(begin).starts_with(three);
    std::size_t at = begin + (many_lines ? 3 : 1);
    while (at < text.size()) {
        if (quote == '"' && text[at] == '\\') {
            at += 2;
        } else if (many_lines && text.substr(at).starts_with(three)) {
            at += 3;
            // Up to two quotes more belong to the content.
            for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more) {
                ++at;
            }
            return at;
        } else if (!many_lines && (text[at] == quote || text[at] == '\n')) {
            return at + 1;
        } else {
            ++at;
        }
    }
    return text.size();
}

// Behind the bracket that closes the one at `begin`. Not recursive: the text may be anything.
std::size_t bracket_end(std::string_view text, std::size_t begin) {
    std::size_t depth = 0;
    std::size_t at = begin;
    while (at < text.size()) {
        const char c = text[at];
        if (has("\"'", c)) {
            at = string_end(text, at);
            continue;
        }
        if (c == '#') {
            at = line_end(text, at);
            continue;
        }
        ++at;
        depth += has("[{", c) ? 1U : 0U;
        if (has("]}", c) && --depth == 0) {
            return at;
        }
    }
    return text.size();
}

std::size_t skip_blank_and_comments(std::string_view text, std::size_t at) {
    while (at < text.size()) {
        if (text[at] == '#') {
            at = line_end(text, at);
        } else if (has(" \t\r\n", text[at])) {
            ++at;
        } else {
            break;
        }
    }
    return at;
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(kBlanks) == kNone;
}

}  // namespace

std::size_t offset_of(std::string_view text, Position position) {
    std::size_t at = text.starts_with(kMark) ? kMark.size() : 0;
    for (unsigned line = 1; line < position.line; ++line) {
        const auto newline = text.find('\n', at);
        if (newline == kNone) {
            return text.size();
        }
        at = newline + 1;
    }
    for (unsigned column = 1; column < position.column && at < text.size(); ++column) {
        ++at;
        while (at < text.size() && continues_character(text[at])) {
            ++at;
        }
    }
    return at;
}

std::size_t value_end(std::string_view text, std::size_t begin) {
    if (begin >= text.size()) {
        return text.size();
    }
    if (has("[{", text[begin])) {
        return bracket_end(text, begin);
    }
    if (has("\"'", text[begin])) {
        return string_end(text, begin);
    }
    auto end = std::min(text.find_first_of(",]}#\r\n", begin), text.size());
    while (end > begin && has(kBlanks, text[end - 1])) {
        --end;
    }
    return end;
}

std::size_t line_begin(std::string_view text, std::size_t at) {
    const auto newline = at == 0 ? kNone : text.rfind('\n', at - 1);
    return newline == kNone ? 0 : newline + 1;
}

std::size_t line_end(std::string_view text, std::size_t at) {
    const auto newline = std::min(text.find('\n', at), text.size());
    const bool two = newline > at && newline < text.size() && text[newline - 1] == '\r';
    return newline - (two ? 1 : 0);
}

std::size_t next_line(std::string_view text, std::size_t at) {
    const auto newline = text.find('\n', at);
    return newline == kNone ? text.size() : newline + 1;
}

std::string_view indent_of(std::string_view text, std::size_t at) {
    const auto line = text.substr(line_begin(text, at));
    return line.substr(0, std::min(line.find_first_not_of(kBlanks), line.size()));
}

std::string_view newline_of(std::string_view text) {
    const auto newline = text.find('\n');
    return newline != kNone && newline > 0 && text[newline - 1] == '\r' ? "\r\n" : "\n";
}

List read_list(std::string_view text, std::size_t open) {
    List list{.open = open, .close = text.size()};
    auto at = skip_blank_and_comments(text, open + 1);
    while (at < text.size()) {
        if (has("]}", text[at])) {
            list.close = at;
            break;
        }
        if (text[at] == ',') {
            if (!list.items.empty()) {
                list.items.back().comma = at;
            }
            at = skip_blank_and_comments(text, at + 1);
            continue;
        }
        if (list.items.empty() || list.items.back().comma != kNone) {
            list.items.push_back({.begin = at, .end = at});
        }
        // One piece of it: a key, '=', a value.
        const auto end =
            std::max(has("\"'[{", text[at])
                         ? value_end(text, at)
                         : std::min(text.find_first_of("=,[]{}\"'# \t\r\n", at + 1), text.size()),
                     at + 1);
        list.items.back().end = end;
        at = skip_blank_and_comments(text, end);
    }
    return list;
}

std::string with_item(std::string_view text, const List& list, std::string_view item) {
    std::string out(text);
    const auto closing_line = line_begin(text, list.close);
    const bool closes_on_its_own =
        closing_line > list.open && is_blank(text.substr(closing_line, list.close - closing_line));
    if (list.items.empty()) {
        if (closes_on_its_own) {
            const auto indent = std::string(indent_of(text, list.close)) + "    ";
            return out.insert(closing_line,
                              indent + std::string(item) + "," + std::string(newline_of(text)));
        }
        return out.insert(
            list.close, text[list.open] == '{' ? " " + std::string(item) + " " : std::string(item));
    }
    const auto& last = list.items.back();
    const bool comma = last.comma != kNone;
    if (closing_line > last.end && closes_on_its_own) {
        const auto indent = std::string(indent_of(text, last.begin));
        out.insert(closing_line,
                   indent + std::string(item) + (comma ? "," : "") + std::string(newline_of(text)));
        return comma ? out : out.insert(last.end, ",");
    }
    return comma ? out.insert(last.comma + 1, " " + std::string(item) + ",")
                 : out.insert(last.end, ", " + std::string(item));
}

std::string without_item(std::string_view text, const List& list, std::size_t index) {
    std::string out(text);
    const auto& item = list.items.at(index);
    const auto behind = item.comma != kNone ? item.comma + 1 : item.end;
    const auto begin = line_begin(text, item.begin);
    const auto rest = text.substr(behind, line_end(text, behind) - behind);
    const auto comment = std::min(rest.find_first_not_of(kBlanks), rest.size());
    const bool own_line = begin > list.open && is_blank(text.substr(begin, item.begin - begin)) &&
                          (comment == rest.size() || rest[comment] == '#') &&
                          next_line(text, behind) <= list.close;
    if (own_line) {
        return out.erase(begin, next_line(text, behind) - begin);
    }
    if (item.comma != kNone) {
        auto end = behind;
        while (end < list.close && has(kBlanks, text[end])) {
            ++end;
        }
        return out.erase(item.begin, end - item.begin);
    }
    if (index > 0) {
        const auto before = list.items.at(index - 1).comma;
        return out.erase(before, item.end - before);
    }
    return out.erase(item.begin, item.end - item.begin);
}

}  // namespace vigia::policy
