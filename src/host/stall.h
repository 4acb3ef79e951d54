// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

namespace vigia::host {

// "some … avg10=12.34" of a file of /proc/pressure (PSI), as a share: of the last ten seconds, how
// long at least one task waited. Pure.
[[nodiscard]] std::optional<double> parse_stall(std::string_view text);

// For a processor. Nothing: the kernel does not say (before 4.20, or psi=0).
[[nodiscard]] std::optional<double> processor_stall();

}  // namespace vigia::host
