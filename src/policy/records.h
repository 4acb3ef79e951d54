// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/policy.h"
#include "policy/types.h"

// The tables inside a policy that may come any number of times.
namespace vigia::policy {

// Reads and writes one `T`; defined for each in records.cpp.
template <typename T>
struct Record {
    [[nodiscard]] static std::optional<T> read(const Node& node, const Context& context);
    [[nodiscard]] static Node write(const T& value);
};

template <typename T>
using Records = ListOf<Record<T>, std::vector<T>>;

extern template struct Record<DefinitionSource>;
extern template struct Record<SinkConfig>;
extern template struct Record<ScanSchedule>;
extern template struct Record<FaultOverride>;
extern template struct Record<ProcessExclusion>;

// 1 to 64 letters, digits, - or _: what a bare key of TOML can be.
[[nodiscard]] bool is_set_name(std::string_view name);

// [exclusions.NAME], any number of them.
struct ExclusionSets {
    [[nodiscard]] static std::optional<std::vector<ExclusionSet>> read(const Node& node,
                                                                       const Context& context);
    [[nodiscard]] static Node write(const std::vector<ExclusionSet>& sets);
};

}  // namespace vigia::policy
