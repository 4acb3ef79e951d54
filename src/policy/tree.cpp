// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/tree.h"

// Errors come back as values; only the lack of memory throws.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/shape.h"

namespace vigia::policy {
namespace {

Position position(const toml::source_region& region) noexcept {
    return {.line = region.begin.line, .column = region.begin.column};
}

std::chrono::sys_days days(const toml::date& date) noexcept {
    return std::chrono::year{date.year} / date.month / date.day;
}

Node convert(const toml::node& node);

Node::Value convert_array(const toml::array& array) {
    Items items;
    items.reserve(array.size());
    for (const auto& item : array) {
        items.push_back(convert(item));
    }
    return items;
}

Node::Value convert_table(const toml::table& table) {
    Members members;
    members.reserve(table.size());
    for (const auto& [key, value] : table) {
        members.push_back(
            {.key = std::string(key.str()), .at = position(key.source()), .value = convert(value)});
    }
    return members;
}

Node::Value convert_value(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::boolean:
            return node.as_boolean()->get();
        case toml::node_type::integer:
            return node.as_integer()->get();
        case toml::node_type::floating_point:
            return node.as_floating_point()->get();
        case toml::node_type::string:
            return node.as_string()->get();
        case toml::node_type::date:
            return days(node.as_date()->get());
        case toml::node_type::array:
            return convert_array(*node.as_array());
        case toml::node_type::table:
            return convert_table(*node.as_table());
        case toml::node_type::none:
        case toml::node_type::time:
        case toml::node_type::date_time:
            break;
    }
    return OtherTime{};
}

// Recursion is bounded: shape_error() has seen the text.
Node convert(const toml::node& node) {
    return {.value = convert_value(node), .at = position(node.source())};
}

}  // namespace

const Member* Node::find(std::string_view key) const noexcept {
    const auto* members = as<Members>();
    if (members == nullptr) {
        return nullptr;
    }
    const auto found = std::ranges::find(*members, key, &Member::key);
    return found == members->end() ? nullptr : &*found;
}

std::string_view kind_of(const Node& node) noexcept {
    static constexpr std::array<std::string_view, std::variant_size_v<Node::Value>> kKinds{
        "a boolean", "an integer", "a decimal number", "a string",
        "a date",    "a time",     "an array",         "a table"};
    return kKinds.at(node.value.index());
}

std::expected<Node, SyntaxError> read_toml(std::string_view text) {
    if (auto error = shape_error(text)) {
        return std::unexpected(std::move(*error));
    }
    const auto parsed = toml::parse(text);
    if (!parsed) {
        const auto& error = parsed.error();
        return std::unexpected(SyntaxError{.at = position(error.source()),
                                           .message = printable(error.description())});
    }
    return convert(parsed.table());
}

}  // namespace vigia::policy
