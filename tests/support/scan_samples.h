// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vigia::test {

// What the scan service is tried with. Nothing here is malware, and no source file holds a whole
// EICAR string: everything is put together at run time.

[[nodiscard]] std::string eicar();

// `VIGIA-TEST-` and a word, see src/scand/test_hooks.h.
[[nodiscard]] std::string hook_marker(std::string_view word);

// A folder that libclamav can load: EICAR in an .ndb, Debian's clam.exe in an .hdb, and one word of
// normalised HTML (sample_html) in an .ndb.
void write_definitions(const std::filesystem::path& folder);

// HTML that is detected only when its character set has been understood.
[[nodiscard]] std::string sample_html();
[[nodiscard]] std::string utf16be(std::string_view ascii);
[[nodiscard]] std::string utf16le(std::string_view ascii);

// A RAR 4 archive that holds the content as one stored file.
[[nodiscard]] std::string stored_rar(std::string_view name, std::string_view content);

// Debian's clamav-testfiles; empty where the package is not installed.
[[nodiscard]] std::vector<std::filesystem::path> clamav_test_files();

}  // namespace vigia::test
