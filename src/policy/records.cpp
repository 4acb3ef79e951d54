// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "policy/fields.h"
#include "policy/words.h"

namespace vigia::policy {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kHour = 3600 * kSecond;
constexpr std::uint64_t kDay = 24 * kHour;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40U;

// NOLINTNEXTLINE(bugprone-macro-parentheses): a member's name cannot be in parentheses
#define VIGIA_MEMBER(name) [](auto& it) -> auto& { return it.name; }

using Path = Text<parse_path>;

// The numbers of docs/FAULTS: the first nine are permanent.
constexpr std::array kFaultIds{
    5, 6, 7, 8, 9, 11, 16, 18, 19, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110};

struct FaultId {
    static std::optional<int> read(const Node& node, const Context& context) {
        const auto id = read_number(node, context, {1, 999});
        if (!id) {
            return std::nullopt;
        }
        const auto value = static_cast<int>(*id);
        if (std::ranges::find(kFaultIds, value) == kFaultIds.end()) {
            context.wrong(node.at, {.message = fmt::format("there is no fault {}", value)});
            return std::nullopt;
        }
        return value;
    }

    static Node write(int id) { return {.value = std::int64_t{id}}; }
};

struct Day {
    static std::optional<std::chrono::sys_days> read(const Node& node, const Context& context) {
        const auto* day = node.as<std::chrono::sys_days>();
        if (day != nullptr) {
            return *day;
        }
        const auto* text = node.as<std::string>();
        context.wrong_kind(node,
                           "a date without quotes such as 2027-01-01",
                           text != nullptr && text->size() == 10 ? *text : std::string{});
        return std::nullopt;
    }

    static Node write(std::chrono::sys_days day) { return {.value = day}; }
};

constexpr std::array<std::string_view, 3> kSourceKinds{"clamav", "folder", "https"};
constexpr std::array<std::string_view, 5> kSinkKinds{"jsonl", "journald", "syslog", "otlp", "nats"};
constexpr std::array<std::string_view, 2> kScheduleKinds{"flash", "full"};

// Which keys a kind takes besides "kind", and which of them it needs.
struct KindKeys {
    std::string_view kind;
    std::string_view needed = {};  // empty: none
    std::array<std::string_view, 3> takes = {};
};

template <typename T>
struct Rows;

template <>
struct Rows<DefinitionSource> {
    using T = DefinitionSource;
    static constexpr std::array kFields{
        field<T, Word<kSourceKinds>, VIGIA_MEMBER(kind)>("kind", true),
        optional_field<T, Texts<parse_http_url>, VIGIA_MEMBER(mirrors)>("mirrors"),
        optional_field<T, Path, VIGIA_MEMBER(path)>("path"),
        optional_field<T, Text<parse_http_url>, VIGIA_MEMBER(url)>("url"),
    };
    static constexpr std::array kKinds{
        KindKeys{.kind = "clamav", .takes = {"mirrors"}},
        KindKeys{.kind = "folder", .needed = "path", .takes = {"path"}},
        KindKeys{.kind = "https", .needed = "url", .takes = {"url"}},
    };
};

template <>
struct Rows<SinkConfig> {
    using T = SinkConfig;
    static constexpr std::array kFields{
        field<T, Word<kSinkKinds>, VIGIA_MEMBER(kind)>("kind", true),
        optional_field<T, Path, VIGIA_MEMBER(path)>("path"),
        optional_field<T, Text<parse_word>, VIGIA_MEMBER(address)>("address"),
        field<T, Size<kMiB / 16, kTiB>, VIGIA_MEMBER(rotate_bytes)>("rotate_size"),
        field<T, Number<unsigned, 1, 1000>, VIGIA_MEMBER(keep)>("keep"),
    };
    static constexpr std::array kKinds{
        KindKeys{.kind = "jsonl", .needed = "path", .takes = {"path", "rotate_size", "keep"}},
        KindKeys{.kind = "journald"},
        KindKeys{.kind = "syslog", .takes = {"address"}},
        KindKeys{.kind = "otlp", .needed = "address", .takes = {"address"}},
        KindKeys{.kind = "nats", .needed = "address", .takes = {"address"}},
    };
};

template <>
struct Rows<ScanSchedule> {
    using T = ScanSchedule;
    static constexpr std::array kFields{
        field<T, Word<kScheduleKinds>, VIGIA_MEMBER(kind)>("kind", true),
        field<T, Text<parse_schedule>, VIGIA_MEMBER(at)>("at", true),
    };
};

template <>
struct Rows<FaultOverride> {
    using T = FaultOverride;
    using Window = Lasting<milliseconds, kSecond, 7 * kDay>;
    using Delay = Lasting<milliseconds, 0, 7 * kDay>;
    static constexpr std::array kFields{
        field<T, FaultId, VIGIA_MEMBER(id)>("id", true),
        optional_field<T, Window, VIGIA_MEMBER(window)>("window"),
        optional_field<T, Number<unsigned, 1, 1'000'000>, VIGIA_MEMBER(threshold)>("threshold"),
        optional_field<T, Delay, VIGIA_MEMBER(raise_after)>("raise_after"),
        optional_field<T, Delay, VIGIA_MEMBER(clear_after)>("clear_after"),
        optional_field<T, Delay, VIGIA_MEMBER(quiet_after)>("quiet_after"),
    };
};

template <>
struct Rows<ProcessExclusion> {
    using T = ProcessExclusion;
    static constexpr std::array kFields{
        field<T, Path, VIGIA_MEMBER(path)>("path", true),
        optional_field<T, Text<parse_word>, VIGIA_MEMBER(user)>("user"),
        field<T, Flag, VIGIA_MEMBER(children)>("children"),
    };
};

template <>
struct Rows<ExclusionSet> {
    using T = ExclusionSet;
    static constexpr std::array kFields{
        optional_field<T, Text<parse_label>, VIGIA_MEMBER(reason)>("reason"),
        optional_field<T, Day, VIGIA_MEMBER(expires)>("expires"),
        optional_field<T, Texts<parse_excluded_path>, VIGIA_MEMBER(paths)>("paths"),
        optional_field<T, Texts<parse_wildcard>, VIGIA_MEMBER(wildcards)>("wildcards"),
        optional_field<T, Texts<parse_extension>, VIGIA_MEMBER(extensions)>("extensions"),
        optional_field<T, Texts<parse_threat>, VIGIA_MEMBER(threats)>("threats"),
        optional_field<T, Records<ProcessExclusion>, VIGIA_MEMBER(processes)>("processes"),
    };
};

template <typename T>
std::span<const Field<T>> rows() {
    return Rows<T>::kFields;
}

// The row of the kind that a table names; nothing where it names none of ours.
template <typename T>
const KindKeys* kind_of_record(const Node& node) {
    if constexpr (requires { Rows<T>::kKinds; }) {
        const auto* kind = node.find("kind");
        const auto* name = kind != nullptr ? kind->value.as<std::string>() : nullptr;
        if (name == nullptr) {
            return nullptr;
        }
        const auto row =
            std::ranges::find(Rows<T>::kKinds, std::string_view(*name), &KindKeys::kind);
        return row == Rows<T>::kKinds.end() ? nullptr : &*row;
    } else {
        return nullptr;
    }
}

bool takes(const KindKeys& kind, std::string_view key) {
    return key == "kind" || std::ranges::find(kind.takes, key) != kind.takes.end();
}

// A key that this kind has no use for is a mistake too: somebody expects something of it.
template <typename T>
bool fits_kind(const Node& node, const Context& context) {
    const auto* kind = kind_of_record<T>(node);
    if (kind == nullptr) {
        return true;
    }
    for (const Member& member : *node.as<Members>()) {
        const bool known = std::ranges::count(keys_of(rows<T>()), member.key) > 0;
        if (known && !takes(*kind, member.key)) {
            context.member(member.key)
                .wrong(member.at,
                       {.message = fmt::format("has no meaning for kind \"{}\"", kind->kind)});
        }
    }
    if (!kind->needed.empty() && node.find(kind->needed) == nullptr) {
        context.wrong(node.at,
                      {.message = fmt::format("kind \"{}\" needs '{}'", kind->kind, kind->needed)});
        return false;
    }
    return true;
}

}  // namespace

bool is_set_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

template <typename T>
std::optional<T> Record<T>::read(const Node& node, const Context& context) {
    T value;
    if (!read_fields(node, context, rows<T>(), value) || !fits_kind<T>(node, context)) {
        return std::nullopt;
    }
    return value;
}

template <typename T>
Node Record<T>::write(const T& value) {
    Node node = write_fields(value, rows<T>());
    if (const auto* kind = kind_of_record<T>(node)) {
        std::erase_if(std::get<Members>(node.value),
                      [&](const Member& member) { return !takes(*kind, member.key); });
    }
    return node;
}

template struct Record<DefinitionSource>;
template struct Record<SinkConfig>;
template struct Record<ScanSchedule>;
template struct Record<FaultOverride>;
template struct Record<ProcessExclusion>;

std::optional<std::vector<ExclusionSet>> ExclusionSets::read(const Node& node,
                                                             const Context& context) {
    const auto* members = node.as<Members>();
    if (members == nullptr) {
        context.wrong_kind(node, "named sets such as [exclusions.ci]");
        return std::nullopt;
    }
    std::vector<ExclusionSet> sets;
    for (const Member& member : *members) {
        const auto inner = context.member(member.key);
        if (!is_set_name(member.key)) {
            inner.wrong(member.at,
                        {.message = "the name of a set has 1 to 64 letters, digits, - or _"});
        } else if (member.value.as<Members>() == nullptr) {
            inner.wrong(member.at, {.message = "belongs into a named set such as [exclusions.ci]"});
        } else {
            ExclusionSet set{.name = member.key};
            read_fields(member.value, inner, rows<ExclusionSet>(), set);
            sets.push_back(std::move(set));
        }
    }
    return sets;
}

Node ExclusionSets::write(const std::vector<ExclusionSet>& sets) {
    Members members;
    for (const auto& set : sets) {
        members.push_back({.key = set.name, .value = write_fields(set, rows<ExclusionSet>())});
    }
    return {.value = std::move(members)};
}

}  // namespace vigia::policy
