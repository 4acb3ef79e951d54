// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "health/fault.h"
#include "model/fault.h"

// From an episode to what people read: the texts of the catalogue with the evidence filled in.
// Pure. Everything that comes out is printable.
namespace vigia::health {

// An episode of a fault that this build does not know (written by a newer one) is shown by its key.
[[nodiscard]] FaultReport render(const Episode& episode, Language language);

// A finding that is not an episode: what doctor says would be raised.
[[nodiscard]] FaultReport render(const Fault& fault, const Finding& finding, Language language);

// "{key}" becomes the member of that name; a list becomes "a, b, c". What is not there stays "…".
[[nodiscard]] std::string fill(std::string_view text, const Evidence& evidence);

}  // namespace vigia::health
