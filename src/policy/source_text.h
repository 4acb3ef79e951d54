// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/tree.h"

// The text of a TOML document, to change a part of it and leave every other byte as it is. These
// read no more of the grammar than where values end; whoever changes something parses the outcome
// and compares. Pure; total over any bytes.
namespace vigia::policy {

// Where the parser's position is; the end of the text if there is no such place.
[[nodiscard]] std::size_t offset_of(std::string_view text, Position position);

// Behind the value that begins there.
[[nodiscard]] std::size_t value_end(std::string_view text, std::size_t begin);

[[nodiscard]] std::size_t line_begin(std::string_view text, std::size_t at);

// The line's end, before its newline ("\r\n" as well), comments included.
[[nodiscard]] std::size_t line_end(std::string_view text, std::size_t at);

// Behind its newline.
[[nodiscard]] std::size_t next_line(std::string_view text, std::size_t at);

// The blanks that a line begins with.
[[nodiscard]] std::string_view indent_of(std::string_view text, std::size_t at);

// "\r\n" if that is what the text's first line ends with.
[[nodiscard]] std::string_view newline_of(std::string_view text);

// What stands between brackets: the items of an array, the members of an inline table.
struct List {
    struct Item {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::size_t comma = std::string_view::npos;  // where its comma is
    };

    std::size_t open = 0;   // of the bracket
    std::size_t close = 0;  // of the closing bracket
    std::vector<Item> items = {};
};

// `open` is the place of '[' or '{'. Without a closing bracket `close` is the text's end.
[[nodiscard]] List read_list(std::string_view text, std::size_t open);

// The whole text with one item more, at the end of the list and laid out like the others.
[[nodiscard]] std::string with_item(std::string_view text, const List& list, std::string_view item);

// The whole text without that item, and without its line if it has one of its own.
[[nodiscard]] std::string without_item(std::string_view text, const List& list, std::size_t index);

}  // namespace vigia::policy
