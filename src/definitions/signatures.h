// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace vigia::definitions {

// File name and content of the built-in set: body signatures in ClamAV's .ndb form
// (name:target:offset:hex). A file is hit when it begins with the EICAR test string or the canary.
// The hexadecimal form is no detection itself, wherever this program or its sources lie.
inline constexpr std::string_view kBuiltinFile = "vigia.ndb";
[[nodiscard]] std::string builtin_signatures();

}  // namespace vigia::definitions
