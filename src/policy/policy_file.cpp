// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy_file.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "policy/context.h"
#include "policy/schema.h"
#include "policy/tree.h"

namespace vigia::policy {

std::string Problem::text() const {
    std::string place = printable(file);
    if (line > 0) {
        place += fmt::format(":{}:{}", line, column);
    }
    // Keys and messages were made printable where they were made; once more would double each '\\'.
    return key.empty() ? fmt::format("{}: {}", place, message)
                       : fmt::format("{}: {}: {}", place, key, message);
}

std::expected<std::shared_ptr<const Policy>, std::vector<Problem>> parse(std::string_view text,
                                                                         const std::string& file) {
    Problems problems(file);
    const auto document = read_toml(text);
    if (!document) {
        problems.add(document.error().at, {}, {.message = document.error().message});
        return std::unexpected(problems.take());
    }
    auto policy = std::make_shared<Policy>();
    read_policy(*document, problems, *policy);
    if (!problems.empty()) {
        return std::unexpected(problems.take());
    }
    return policy;
}

}  // namespace vigia::policy
