// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vigia {

// What was measured, as a tree of plain values: the `evidence` of a fault, in the order in which a
// person should read it. Text is bytes as found; whoever renders it makes it printable or UTF-8
// (wire/evidence_json.h). Keys are fixed per cause and documented beside the fault.
struct Evidence {
    using List = std::vector<Evidence>;
    using Members = std::vector<std::pair<std::string, Evidence>>;

    std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Members> value = {};

    Evidence() = default;

    Evidence(bool truth) : value(truth) {}  // NOLINT(*-explicit-*)

    Evidence(int number) : value(std::int64_t{number}) {}  // NOLINT(*-explicit-*)

    Evidence(std::int64_t number) : value(number) {}  // NOLINT(*-explicit-*)

    Evidence(std::uint64_t number)  // NOLINT(*-explicit-*)
        : value(static_cast<std::int64_t>(number)) {}

    Evidence(double number) : value(number) {}  // NOLINT(*-explicit-*)

    Evidence(const char* text) : value(std::string(text)) {}  // NOLINT(*-explicit-*)

    Evidence(std::string text) : value(std::move(text)) {}  // NOLINT(*-explicit-*)

    Evidence(List list) : value(std::move(list)) {}  // NOLINT(*-explicit-*)

    Evidence(Members members) : value(std::move(members)) {}  // NOLINT(*-explicit-*)

    // The member of that name, or nullptr.
    [[nodiscard]] const Evidence* find(std::string_view key) const {
        if (const auto* members = std::get_if<Members>(&value)) {
            for (const auto& [name, member] : *members) {
                if (name == key) {
                    return &member;
                }
            }
        }
        return nullptr;
    }

    bool operator==(const Evidence&) const = default;
};

}  // namespace vigia
