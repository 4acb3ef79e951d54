// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/evidence.h"

namespace vigia::wire {

// Evidence as JSON, in its own order. Total: text that is not UTF-8 gets its exact bytes beside it,
// as `<key>_base64` (for a list of texts: all of them, in the same order).
[[nodiscard]] nlohmann::ordered_json evidence_json(const Evidence& evidence);

// Back from what the journal keeps: bounded depth; what is no evidence is nothing. `_base64`
// members stay members of their own.
[[nodiscard]] Evidence parse_evidence(const nlohmann::ordered_json& json);

}  // namespace vigia::wire
