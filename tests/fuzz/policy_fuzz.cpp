// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_policy
// Any bytes are a policy or a list of mistakes. What was taken prints as TOML that is taken again
// and means the same; every mistake has a place and a text that is safe to print.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/text.h"
#include "policy/decide.h"
#include "policy/policy_file.h"

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_taken(const std::shared_ptr<const vigia::Policy>& policy, std::string_view text) {
    const auto again = vigia::policy::parse(vigia::policy::to_toml(*policy), "printed");
    require(again.has_value());
    require(vigia::policy::difference(*policy, **again).empty());
    require(vigia::policy::to_json(*policy) == vigia::policy::to_json(**again));
    const vigia::policy::Exclusions exclusions(policy);
    require(exclusions.match_path(text, {}).excluded == exclusions.excludes_path(text, {}));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes as text
    const std::string_view text(size > 0 ? reinterpret_cast<const char*>(data) : "", size);
    const auto parsed = vigia::policy::parse(text, "policy.toml");
    if (parsed) {
        check_taken(*parsed, text);
        return 0;
    }
    require(!parsed.error().empty());
    for (const auto& problem : parsed.error()) {
        require(problem.line > 0 && problem.column > 0 && !problem.message.empty());
        auto line = problem.text();
        std::erase(line, '\\');  // printable() doubles these, and nothing else that is harmless
        require(vigia::printable(line) == line);
    }
    return 0;
}
