// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "model/sha256.h"

// definitions/rejected/: files that the engine refused, each as `<sha256>-<name>` with its reason
// beside it as `….reason`. What lies there by its content is left out of new generations, wherever
// it comes from; the mended file has another content and is taken. Blocking; one thread at a time.
namespace vigia::definitions {

// Moves `file` of the generation there. Returns where it went. ENOENT: there is no such file.
[[nodiscard]] Result<std::filesystem::path> set_aside(const std::filesystem::path& state,
                                                      const std::string& generation,
                                                      const std::string& file,
                                                      const std::string& reason);

// The contents that lie there; empty when it cannot be read, which then only costs another try.
[[nodiscard]] std::set<Sha256> rejected_contents(const std::filesystem::path& state);

}  // namespace vigia::definitions
