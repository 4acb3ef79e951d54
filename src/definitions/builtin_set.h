// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace vigia::definitions {

struct BuiltinFile {
    std::string name;
    std::string content;
};

// Definitions that need no network: a fresh installation detects EICAR, and the self-test its
// canary.
[[nodiscard]] std::vector<BuiltinFile> builtin_set();

}  // namespace vigia::definitions
