// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/combinations.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "model/sha256.h"
#include "policy/values.h"

namespace vigia::policy {
namespace {

const Node* option(const Node& document, std::string_view section, std::string_view key) {
    const auto* table = document.find(section);
    const auto* member = table != nullptr ? table->value.find(key) : nullptr;
    return member != nullptr ? &member->value : nullptr;
}

std::string text_of(const Node& table, std::string_view key) {
    const auto* member = table.find(key);
    const auto* text = member != nullptr ? member->value.as<std::string>() : nullptr;
    return text != nullptr ? *text : std::string{};
}

using Canonical = std::function<std::string(const std::string&)>;

// Empty for what was no digest: told of already.
std::string canonical_digest(const std::string& text) {
    const auto digest = Sha256::parse(text);
    return digest ? digest->hex() : std::string{};
}

std::string canonical_network(const std::string& text) {
    return parse_network(text).value_or(std::string{});
}

// Whoever is on both lists has two answers.
void check_disjoint(const Node& document,
                    const Context& context,
                    std::string_view section,
                    const Canonical& canonical) {
    const auto* block = option(document, section, "block");
    const auto* allow = option(document, section, "allow");
    const auto* blocked = block != nullptr ? block->as<Items>() : nullptr;
    const auto* allowed = allow != nullptr ? allow->as<Items>() : nullptr;
    if (blocked == nullptr || allowed == nullptr) {
        return;
    }
    std::set<std::string> known;
    for (const Node& item : *blocked) {
        if (const auto* text = item.as<std::string>()) {
            known.insert(canonical(*text));
        }
    }
    const auto list = context.member(section).member("allow");
    for (std::size_t at = 0; at < allowed->size(); ++at) {
        const auto* text = (*allowed)[at].as<std::string>();
        const auto value = text != nullptr ? canonical(*text) : std::string{};
        if (!value.empty() && known.contains(value)) {
            list.item(at).wrong((*allowed)[at].at,
                                {.message = fmt::format("{} is also in {}.block", value, section)});
        }
    }
}

// `name` gives what makes a record the one it is; empty: cannot be told twice.
void check_unique(const Node* array,
                  const Context& context,
                  const std::function<std::string(const Node&)>& name) {
    const auto* items = array != nullptr ? array->as<Items>() : nullptr;
    if (items == nullptr) {
        return;
    }
    std::set<std::string> known;
    for (std::size_t at = 0; at < items->size(); ++at) {
        const auto value = name((*items)[at]);
        if (!value.empty() && !known.insert(value).second) {
            context.item(at).wrong((*items)[at].at,
                                   {.message = fmt::format("{} is there twice", printable(value))});
        }
    }
}

std::string override_name(const Node& node) {
    const auto* member = node.find("id");
    const auto* id = member != nullptr ? member->value.as<std::int64_t>() : nullptr;
    return id != nullptr ? fmt::format("the override of fault {}", *id) : std::string{};
}

std::string record_name(const Node& node) {
    const auto kind = text_of(node, "kind");
    if (kind.empty()) {
        return {};
    }
    auto place = text_of(node, "path") + text_of(node, "address") + text_of(node, "url");
    return place.empty() ? fmt::format("\"{}\"", kind) : fmt::format("\"{}\" {}", kind, place);
}

void check_wishes(const Node& document, const Context& context, const Policy& policy) {
    const auto* watch = option(document, "files", "watch");
    const auto* folders = watch != nullptr ? watch->as<Items>() : nullptr;
    if (policy.files.monitor_copies_and_moves && folders != nullptr && folders->empty()) {
        context.member("files").member("watch").wrong(
            watch->at,
            {.message = "nothing to watch; name a folder, or set files.monitor_copies_and_moves = "
                        "false"});
    }
    const auto* memfd = option(document, "processes", "memfd_execute");
    if (policy.processes.memfd_execute == MemfdExecute::Kill && !policy.processes.monitor &&
        memfd != nullptr) {
        context.member("processes")
            .member("memfd_execute")
            .wrong(memfd->at,
                   {.message = "\"kill\" needs processes.monitor = true: only the process monitor "
                               "sees such a program start"});
    }
}

// Level 2 is what comes after level 1. Said at whichever of the two the file has.
void check_levels(const Node& document, const Context& context, const Policy& policy) {
    struct Pair {
        const char* first;
        const char* second;
        bool ordered;
    };

    const auto& overload = policy.overload;
    for (const auto& [first, second, ordered] :
         {Pair{.first = "reduce_at",
               .second = "critical_at",
               .ordered = overload.reduce_percent <= overload.critical_percent},
          Pair{.first = "reduce_events",
               .second = "critical_events",
               .ordered = overload.reduce_events <= overload.critical_events}}) {
        const auto* later = option(document, "overload", second);
        const auto* node = later != nullptr ? later : option(document, "overload", first);
        if (!ordered && node != nullptr) {
            context.member("overload")
                .member(later != nullptr ? second : first)
                .wrong(node->at,
                       {.message = fmt::format("{} must not be below {}", second, first)});
        }
    }
}

}  // namespace

void check_combinations(const Node& document, const Context& context, const Policy& policy) {
    check_wishes(document, context, policy);
    check_levels(document, context, policy);
    check_disjoint(document, context, "hashes", canonical_digest);
    check_disjoint(document, context, "network", canonical_network);
    check_unique(option(document, "faults", "overrides"),
                 context.member("faults").member("overrides"),
                 override_name);
    check_unique(option(document, "definitions", "sources"),
                 context.member("definitions").member("sources"),
                 record_name);
    if (const auto* sinks = document.find("sinks")) {
        check_unique(&sinks->value, context.member("sinks"), record_name);
    }
}

}  // namespace vigia::policy
