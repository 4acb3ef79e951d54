// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/command_lines.h"

#include <algorithm>

namespace vigia::daemon {
namespace {

// The regular expressions of the library recurse once a byte.
constexpr std::size_t kMostBytes = 1024;

}  // namespace

CommandLines::CommandLines(const Policy::Processes& policy) : wanted_(policy.capture_command_line) {
    for (const auto& pattern : policy.redact) {
        try {
            secrets_.emplace_back(pattern, std::regex::ECMAScript | std::regex::optimize);
        } catch (const std::regex_error&) {
            wanted_ = false;  // the policy's check lets none through; rather nothing than a secret
        }
    }
}

std::string CommandLines::text_of(std::string_view arguments) const {
    if (!wanted_) {
        return {};
    }
    std::string text(arguments.substr(0, kMostBytes));
    while (text.ends_with('\0')) {
        text.pop_back();
    }
    std::ranges::replace(text, '\0', ' ');
    try {
        for (const auto& secret : secrets_) {
            text = std::regex_replace(text, secret, "***");
        }
    } catch (const std::regex_error&) {  // too complex for this text
        return "***";
    }
    return text;
}

}  // namespace vigia::daemon
