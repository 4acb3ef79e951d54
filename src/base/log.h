// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.h"

// The one seam to the logging library. Only L3 logs (library code returns errors); messages must
// already be printable() where they hold foreign bytes. Thread-safe after log::open.
namespace vigia::log {

enum class Level : std::uint8_t { Debug, Info, Warning, Error };

struct Options {
    std::filesystem::path file;  // rotated by size; empty: none
    bool to_stderr = false;      // --foreground
    Level level = Level::Info;
};

// Before it is called, messages go to stderr.
Result<> open(const Options& options);

void debug(std::string_view message);
void info(std::string_view message);
void warning(std::string_view message);
void error(std::string_view message);

[[nodiscard]] Result<Level> parse_level(std::string_view name);

}  // namespace vigia::log
