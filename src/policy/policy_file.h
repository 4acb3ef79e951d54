// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/policy.h"

namespace vigia::policy {

// One mistake, as an editor would show it.
struct Problem {
    std::string file;
    unsigned line = 0;    // from 1
    unsigned column = 0;  // from 1
    std::string key;      // "files.mode", "files.watch[1]" (the first); printable
    std::string message;  // "unknown value 'quarantin'; did you mean 'quarantine'?"; printable
    std::string suggestion = {};  // 'quarantine' alone, as it would be written; any text

    // "policy.toml:3:8: files.mode: …", printable
    [[nodiscard]] std::string text() const;
};

// All mistakes at once, or a policy. Pure; exceptions of the parser stop here.
[[nodiscard]] std::expected<std::shared_ptr<const Policy>, std::vector<Problem>> parse(
    std::string_view text, const std::string& file);

// The policy that a fresh installation starts with (packaging/policy.toml, embedded).
[[nodiscard]] std::string_view default_text();

// Back to TOML, complete and canonical: for `policy show`.
[[nodiscard]] std::string to_toml(const Policy& policy);

// JSON of the same for the API.
[[nodiscard]] std::string to_json(const Policy& policy);

// One line per option that differs: "files.mode: audit → quarantine"; printable.
[[nodiscard]] std::vector<std::string> difference(const Policy& before, const Policy& after);

}  // namespace vigia::policy
