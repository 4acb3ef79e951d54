// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigia {

// File names are bytes: they may hold newlines, terminal escapes, and no valid UTF-8 at all.

[[nodiscard]] bool is_valid_utf8(std::string_view bytes) noexcept;

// For terminals and log lines: control characters, invalid UTF-8 and bidirectional overrides become
// visible escapes (\n, \x1b, \u202e). Harmless to print, and reversible by eye; never empty for a
// non-empty input.
[[nodiscard]] std::string printable(std::string_view bytes);

// The same, but a backslash stays as it is: for sentences in which the names are escaped already,
// such as the messages of events.
[[nodiscard]] std::string harmless(std::string_view sentence);

// One word of a shell's command line (POSIX, `$'…'` where there are control characters), to copy
// and paste: harmless whatever the bytes are.
[[nodiscard]] std::string shell_quoted(std::string_view bytes);

// For JSON: valid UTF-8, each invalid byte replaced by U+FFFD. Where this differs from the input
// the writer adds the exact bytes as `<key>_base64`.
[[nodiscard]] std::string utf8_lossy(std::string_view bytes);

[[nodiscard]] std::string base64(std::string_view bytes);

[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);

// Lower- or upper-case hex digits, even count; nothing else.
[[nodiscard]] std::optional<std::vector<std::byte>> from_hex(std::string_view hex);

}  // namespace vigia
