// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/sha256.h"

namespace vigia::definitions {

// The names in a folder, sorted, without "." and "..". At most `limit`; more is EOVERFLOW.
[[nodiscard]] Result<std::vector<std::string>> names_in(int folder, std::size_t limit);

// SHA-256 over the sorted names, sizes and contents of a folder of plain files. Anything else in it
// (a link, a folder) is an error: it is no generation of ours.
[[nodiscard]] Result<Sha256> digest_of_folder(int folder);

// SHA-256 of a plain file's content.
[[nodiscard]] Result<Sha256> digest_of_file(int folder, const std::string& name);

// More files than this is no set of definitions.
inline constexpr std::size_t kMaxFiles = 10'000;

}  // namespace vigia::definitions
