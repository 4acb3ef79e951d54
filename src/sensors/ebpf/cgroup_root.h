// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vigia::sensors {

// Where the root of the v2 hierarchy is mounted, from the text of mountinfo. Nothing: nowhere.
[[nodiscard]] std::optional<std::string> find_cgroup_root(std::string_view mountinfo);

// Outside the initial one, the root is that of the namespace, and the rest of the host is not
// covered.
[[nodiscard]] bool in_initial_cgroup_namespace();

}  // namespace vigia::sensors
