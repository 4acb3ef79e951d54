// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "model/policy.h"

namespace vigia::daemon {

// Command lines as events may tell them: what the patterns of the policy match is replaced by
// "***". Immutable; thread-safe.
class CommandLines {
public:
    explicit CommandLines(const Policy::Processes& policy);

    // `arguments`: NUL between them, at most as much as the sensor takes (1,024 bytes). Empty where
    // policy does not want any.
    [[nodiscard]] std::string text_of(std::string_view arguments) const;

private:
    bool wanted_;
    std::vector<std::regex> secrets_;
};

}  // namespace vigia::daemon
