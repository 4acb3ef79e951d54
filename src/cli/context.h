// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "cli/client.h"
#include "model/language.h"

namespace vigia::cli {

// The contract of every verb (docs/API.md).
enum class Exit : std::uint8_t { Fine = 0, No = 1, Usage = 2, NotReachable = 3, NotPermitted = 4 };

using vigia::Language;
using vigia::Text;

// How the caller wants to be answered, and how to reach the daemon.
struct Context {
    std::filesystem::path prefix = {};
    bool json = false;
    Language language = Language::English;
    bool colour = false;    // a terminal, and NO_COLOR is not set
    bool terminal = false;  // progress may be redrawn

    [[nodiscard]] std::string_view say(const Text& text) const { return text.in(language); }

    [[nodiscard]] Client client() const { return Client(prefix); }
};

enum class Tone : std::uint8_t { Plain, Good, Bad, Warning, Faint, Strong };

// With colour on a terminal, as it is otherwise.
[[nodiscard]] std::string paint(const Context& context, Tone tone, std::string_view text);

// Filled with spaces to `width` columns, counting characters, not bytes.
[[nodiscard]] std::string padded(std::string_view text, std::size_t width);

// Says on standard error what went wrong, and gives the exit status that stands for it.
Exit report_error(const Context& context, const Error& error);
Exit report_refusal(const Context& context, const Reply& reply);

// GET and parse: nothing, with the error told and `exit` set, when that did not work.
[[nodiscard]] std::optional<nlohmann::json> fetch(const Context& context,
                                                  const std::string& path,
                                                  Exit& exit);

// The text of a byte-string member for people: exact bytes where JSON has them, made printable.
[[nodiscard]] std::string printable_member(const nlohmann::json& object, const std::string& key);

// A sentence or a command of the daemon, in which names are escaped already: printed as it is.
[[nodiscard]] std::string sentence_member(const nlohmann::json& object, const std::string& key);

// "2026-11-22 19:20:00", local time, of an ISO 8601 UTC text; what does not parse is returned as it
// is.
[[nodiscard]] std::string local_time(const std::string& iso);

// 1234567 → "1,234,567"; 1536 → "1.5 KiB".
[[nodiscard]] std::string grouped(std::uint64_t number);
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

}  // namespace vigia::cli
