// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/types.h"

#include <fmt/format.h>

namespace vigia::policy {
namespace {

template <typename Show>
std::optional<std::uint64_t> within(const Node& node,
                                    const Context& context,
                                    std::uint64_t value,
                                    std::pair<std::uint64_t, std::uint64_t> range,
                                    Show show) {
    if (value >= range.first && value <= range.second) {
        return value;
    }
    context.wrong(
        node.at,
        {.message = fmt::format(
             "{} is out of range: {} to {}", show(value), show(range.first), show(range.second))});
    return std::nullopt;
}

}  // namespace

std::optional<bool> Flag::read(const Node& node, const Context& context) {
    if (const auto* value = node.as<bool>()) {
        return *value;
    }
    const auto* text = node.as<std::string>();
    const bool quoted = text != nullptr && (*text == "true" || *text == "false");
    context.wrong_kind(node, "true or false", quoted ? *text : std::string{});
    return std::nullopt;
}

std::optional<std::uint64_t> read_number(const Node& node,
                                         const Context& context,
                                         std::pair<std::uint64_t, std::uint64_t> range) {
    const auto* value = node.as<std::int64_t>();
    if (value == nullptr) {
        context.wrong_kind(node,
                           fmt::format("a whole number, {} to {}", range.first, range.second));
        return std::nullopt;
    }
    if (*value < 0) {
        context.wrong(node.at,
                      {.message = fmt::format(
                           "{} is out of range: {} to {}", *value, range.first, range.second)});
        return std::nullopt;
    }
    return within(node, context, static_cast<std::uint64_t>(*value), range, [](std::uint64_t n) {
        return fmt::format("{}", n);
    });
}

std::optional<std::uint64_t> read_milliseconds(const Node& node,
                                               const Context& context,
                                               const DurationRange& range) {
    const auto show = [](std::uint64_t n) {
        return fmt::format("\"{}\"", duration_text(std::chrono::milliseconds{n}));
    };
    const auto* text = node.as<std::string>();
    if (text == nullptr) {
        const auto* number = node.as<std::int64_t>();
        context.wrong_kind(node,
                           R"(a duration such as "2s" or "10m")",
                           number != nullptr ? fmt::format("\"{}s\"", *number) : std::string{});
        return std::nullopt;
    }
    auto parsed = parse_duration(*text);
    if (!parsed) {
        context.wrong(node.at, std::move(parsed).error());
        return std::nullopt;
    }
    const auto value = static_cast<std::uint64_t>(parsed->count());
    if (value % range.step != 0) {
        context.wrong(
            node.at,
            {.message = fmt::format("{} is no multiple of {}", show(value), show(range.step))});
        return std::nullopt;
    }
    return within(node, context, value, {range.least, range.most}, show);
}

std::optional<std::uint64_t> read_bytes(const Node& node,
                                        const Context& context,
                                        std::pair<std::uint64_t, std::uint64_t> range) {
    const auto* number = node.as<std::int64_t>();
    const auto* text = node.as<std::string>();
    if (text == nullptr && (number == nullptr || *number < 0)) {
        context.wrong_kind(node, "a size such as \"100MiB\"");
        return std::nullopt;
    }
    auto parsed = text != nullptr ? parse_size(*text)
                                  : Parsed<std::uint64_t>{static_cast<std::uint64_t>(*number)};
    if (!parsed) {
        context.wrong(node.at, std::move(parsed).error());
        return std::nullopt;
    }
    return within(node, context, *parsed, range, [](std::uint64_t n) {
        return fmt::format("\"{}\"", size_text(n));
    });
}

const std::string* read_string(const Node& node, const Context& context) {
    const auto* text = node.as<std::string>();
    if (text == nullptr) {
        context.wrong_kind(node, "a string");
    }
    return text;
}

const Items* read_array(const Node& node, const Context& context) {
    const auto* items = node.as<Items>();
    if (items == nullptr) {
        const auto* text = node.as<std::string>();
        const bool one = text != nullptr && text->size() <= 64;
        context.wrong_kind(node, "an array", one ? fmt::format("[\"{}\"]", *text) : std::string{});
    }
    return items;
}

}  // namespace vigia::policy
