// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/context.h"
#include "policy/tree.h"
#include "policy/types.h"

// Tables whose keys are the members of a struct. A struct's rows are the one place that names a
// key: reading, unknown keys, printing and comparing all follow from them.
namespace vigia::policy {

template <typename T>
struct Field {
    std::string_view key;
    void (*read)(const Node&, const Context&, T&);
    std::optional<Node> (*write)(const T&);  // nothing: not said
    bool required = false;
};

template <typename T, typename Type, auto kMember>
void read_member(const Node& node, const Context& context, T& into) {
    if (auto value = Type::read(node, context)) {
        // NOLINTNEXTLINE(bugprone-optional-value-conversion): some members are optional themselves
        kMember(into) = *std::move(value);
    }
}

template <typename T, typename Type, auto kMember>
[[nodiscard]] std::optional<Node> write_member(const T& from) {
    return Type::write(kMember(from));
}

// Of a member that may be absent: std::optional, or a string or list that may be empty.
template <typename T, typename Type, auto kMember>
[[nodiscard]] std::optional<Node> write_if_present(const T& from) {
    const auto& member = kMember(from);
    if constexpr (requires { member.has_value(); }) {
        return member ? std::optional(Type::write(*member)) : std::nullopt;
    } else {
        return member.empty() ? std::nullopt : std::optional(Type::write(member));
    }
}

// The member that `kMember` gives (a generic lambda, for const and non-const alike), of type
// `Type`.
template <typename T, typename Type, auto kMember>
[[nodiscard]] consteval Field<T> field(std::string_view key, bool required = false) {
    return {.key = key,
            .read = &read_member<T, Type, kMember>,
            .write = &write_member<T, Type, kMember>,
            .required = required};
}

template <typename T, typename Type, auto kMember>
[[nodiscard]] consteval Field<T> optional_field(std::string_view key) {
    return {.key = key,
            .read = &read_member<T, Type, kMember>,
            .write = &write_if_present<T, Type, kMember>};
}

template <typename T>
[[nodiscard]] std::vector<std::string_view> keys_of(std::span<const Field<T>> fields) {
    std::vector<std::string_view> keys;
    std::ranges::transform(fields, std::back_inserter(keys), &Field<T>::key);
    return keys;
}

// Reads what is good into `into` and tells of the rest. False: not a table, or a required key is
// not there, so that there is nothing to use.
template <typename T>
bool read_fields(const Node& node,
                 const Context& context,
                 std::span<const Field<T>> fields,
                 T& into) {
    const auto* members = node.as<Members>();
    if (members == nullptr) {
        context.wrong_kind(node, "a table");
        return false;
    }
    for (const Member& member : *members) {
        const auto row = std::ranges::find(fields, member.key, &Field<T>::key);
        if (row == fields.end()) {
            context.unknown_key(member, keys_of(fields));
        } else {
            row->read(member.value, context.member(member.key), into);
        }
    }
    bool complete = true;
    for (const auto& row : fields) {
        if (row.required && node.find(row.key) == nullptr) {
            context.wrong(node.at, {.message = "'" + std::string(row.key) + "' is missing"});
            complete = false;
        }
    }
    return complete;
}

template <typename T>
[[nodiscard]] Node write_fields(const T& from, std::span<const Field<T>> fields) {
    Members members;
    for (const auto& row : fields) {
        if (auto value = row.write(from)) {
            members.push_back({.key = std::string(row.key), .value = *std::move(value)});
        }
    }
    return {.value = std::move(members)};
}

}  // namespace vigia::policy
