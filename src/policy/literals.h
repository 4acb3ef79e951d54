// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>
#include <string_view>

// Values as TOML writes them.
namespace vigia::policy {

// A basic string in its quotes. `text` has to be UTF-8: TOML can hold nothing else.
[[nodiscard]] std::string toml_string(std::string_view text);

// "2027-01-01"
[[nodiscard]] std::string date_text(std::chrono::sys_days day);

}  // namespace vigia::policy
