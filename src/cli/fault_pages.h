// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "model/language.h"

namespace vigia::cli {

// The fault catalogue of this build as a page of Markdown: docs/FAULTS.<language>.md. Pure.
[[nodiscard]] std::string fault_pages(Language language);

}  // namespace vigia::cli
