// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "response/vault_file.h"

namespace vigia::response {

[[nodiscard]] std::string header_to_json(const VaultHeader& header);

// Nothing when a member is missing, of the wrong type or out of range; others are ignored.
[[nodiscard]] std::optional<VaultHeader> header_from_json(std::string_view json);

}  // namespace vigia::response
