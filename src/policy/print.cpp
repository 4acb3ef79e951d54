// SPDX-License-Identifier: GPL-2.0-or-later
// A policy as text: TOML, JSON, and what differs between two.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/text.h"
#include "policy/literals.h"
#include "policy/policy_file.h"
#include "policy/schema.h"
#include "policy/tree.h"

namespace vigia::policy {
namespace {

using Json = nlohmann::ordered_json;  // in the order of the file

std::string inline_text(const Node& node);

std::string inline_array(const Items& items) {
    std::string text;
    for (const Node& item : items) {
        text += (text.empty() ? "" : ", ") + inline_text(item);
    }
    return "[" + text + "]";
}

std::string inline_table(const Members& members) {
    std::string text;
    for (const Member& member : members) {
        text += fmt::format(
            "{}{} = {}", text.empty() ? "" : ", ", member.key, inline_text(member.value));
    }
    return text.empty() ? "{}" : "{ " + text + " }";
}

// One value on one line.
std::string inline_text(const Node& node) {
    return std::visit(
        [](const auto& value) -> std::string {
            using T = std::remove_cvref_t<decltype(value)>;
            if constexpr (std::is_same_v<T, std::string>) {
                return toml_string(value);
            } else if constexpr (std::is_same_v<T, std::chrono::sys_days>) {
                return date_text(value);
            } else if constexpr (std::is_same_v<T, Items>) {
                return inline_array(value);
            } else if constexpr (std::is_same_v<T, Members>) {
                return inline_table(value);
            } else if constexpr (std::is_same_v<T, OtherTime>) {
                return {};
            } else {
                return fmt::format("{}", value);
            }
        },
        node.value);
}

void print_options(std::string& out, const Members& members) {
    for (const Member& member : members) {
        out += fmt::format("{} = {}\n", member.key, inline_text(member.value));
    }
}

bool all_tables(const Members& members) {
    return std::ranges::all_of(
        members, [](const Member& member) { return member.value.as<Members>() != nullptr; });
}

void print_section(std::string& out, const std::string& key, const Node& node) {
    const auto* items = node.as<Items>();
    const auto* members = node.as<Members>();
    if (items != nullptr) {
        for (const Node& item : *items) {
            out += fmt::format("\n[[{}]]\n", key);
            print_options(out, *item.as<Members>());
        }
    } else if (members != nullptr && !members->empty() && all_tables(*members)) {
        for (const Member& member : *members) {
            print_section(out, key + "." + member.key, member.value);
        }
    } else if (members != nullptr) {
        out += fmt::format("\n[{}]\n", key);
        print_options(out, *members);
    }
}

Json json_of(const Node& node) {
    return std::visit(
        [](const auto& value) -> Json {
            using T = std::remove_cvref_t<decltype(value)>;
            if constexpr (std::is_same_v<T, std::chrono::sys_days>) {
                return date_text(value);
            } else if constexpr (std::is_same_v<T, OtherTime>) {
                return nullptr;
            } else if constexpr (std::is_same_v<T, Items>) {
                Json array = Json::array();
                std::ranges::transform(value, std::back_inserter(array), json_of);
                return array;
            } else if constexpr (std::is_same_v<T, Members>) {
                Json object = Json::object();
                for (const Member& member : value) {
                    object[member.key] = json_of(member.value);
                }
                return object;
            } else {
                return value;
            }
        },
        node.value);
}

// "files.mode" → its value.
using Options = std::vector<std::pair<std::string, const Node*>>;

void flatten(const std::string& key, const Node& node, Options& into) {
    const auto* members = node.as<Members>();
    if (members == nullptr) {
        into.emplace_back(key, &node);
        return;
    }
    for (const Member& member : *members) {
        flatten(key.empty() ? member.key : key + "." + member.key, member.value, into);
    }
}

const Node* find_option(const Options& options, std::string_view key) {
    const auto found = std::ranges::find(options, key, &Options::value_type::first);
    return found == options.end() ? nullptr : found->second;
}

// What a person is shown: without the quotes that TOML needs, and never longer than a line.
std::string shown(const Node* node) {
    constexpr std::size_t kLongest = 120;
    if (node == nullptr) {
        return "(not set)";
    }
    const auto* text = node->as<std::string>();
    std::string value = text != nullptr ? printable(*text) : harmless(inline_text(*node));
    if (value.size() > kLongest) {
        value = utf8_lossy(std::string_view(value).substr(0, kLongest)) + "…";
    }
    return value;
}

std::vector<std::string> lines_of(const Items& items) {
    std::vector<std::string> lines;
    std::ranges::transform(items, std::back_inserter(lines), [](const Node& item) {
        const auto* text = item.as<std::string>();
        return text != nullptr ? printable(*text) : harmless(inline_text(item));
    });
    std::ranges::sort(lines);
    return lines;
}

std::string listed(std::string_view word, const std::vector<std::string>& values) {
    constexpr std::size_t kMost = 5;
    std::string text;
    for (std::size_t at = 0; at < std::min(kMost, values.size()); ++at) {
        text += fmt::format("{} {} {}", at == 0 ? "" : ",", word, values[at]);
    }
    if (values.size() > kMost) {
        text += fmt::format(", {} {} more", word, values.size() - kMost);
    }
    return text;
}

// "+ /srv, − /home": the order of a list means nothing to us.
std::string list_difference(const Items& before, const Items& after) {
    const auto old_lines = lines_of(before);
    const auto new_lines = lines_of(after);
    std::vector<std::string> added;
    std::vector<std::string> removed;
    std::ranges::set_difference(new_lines, old_lines, std::back_inserter(added));
    std::ranges::set_difference(old_lines, new_lines, std::back_inserter(removed));
    if (added.empty() && removed.empty()) {
        return {};
    }
    const auto plus = listed("+", added);
    const auto minus = listed("−", removed);
    return plus + (plus.empty() || minus.empty() ? "" : ",") + minus;
}

std::optional<std::string> line_for(const std::string& key, const Node* before, const Node* after) {
    static const Node kNothing{.value = Items{}};
    const auto* old_items = (before != nullptr ? *before : kNothing).as<Items>();
    const auto* new_items = (after != nullptr ? *after : kNothing).as<Items>();
    if (old_items != nullptr && new_items != nullptr) {
        const auto text = list_difference(*old_items, *new_items);
        return text.empty() ? std::nullopt : std::optional(key + ":" + text);
    }
    const bool same =
        before != nullptr && after != nullptr && inline_text(*before) == inline_text(*after);
    return same ? std::nullopt
                : std::optional(fmt::format("{}: {} → {}", key, shown(before), shown(after)));
}

}  // namespace

std::string date_text(std::chrono::sys_days day) {
    const std::chrono::year_month_day date(day);
    return fmt::format("{:04}-{:02}-{:02}",
                       static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
}

std::string toml_string(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            result += c;
        }
    }
    return result + '"';
}

std::string to_toml(const Policy& policy) {
    const Node document = write_policy(policy);
    std::string out;
    for (const Member& section : *document.as<Members>()) {
        print_section(out, section.key, section.value);
    }
    return out.substr(std::min<std::size_t>(1, out.size()));
}

std::string to_json(const Policy& policy) {
    return json_of(write_policy(policy)).dump();
}

std::vector<std::string> difference(const Policy& before, const Policy& after) {
    const Node old_document = write_policy(before);
    const Node new_document = write_policy(after);
    Options old_options;
    Options new_options;
    flatten({}, old_document, old_options);
    flatten({}, new_document, new_options);
    std::vector<std::string> lines;
    for (const auto& [key, node] : old_options) {
        if (auto line = line_for(key, node, find_option(new_options, key))) {
            lines.push_back(*std::move(line));
        }
    }
    for (const auto& [key, node] : new_options) {
        if (find_option(old_options, key) == nullptr) {
            if (auto line = line_for(key, nullptr, node)) {
                lines.push_back(*std::move(line));
            }
        }
    }
    return lines;
}

}  // namespace vigia::policy
