// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vigia::definitions {

// A definition file larger than this is left out.
inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 30U;

// What was taken from one folder.
struct Taken {
    std::uint64_t files = 0;
    std::uint64_t ignored = 0;               // other names: no definitions
    std::string unreadable = {};             // why the folder itself cannot be listed
    std::vector<std::string> problems = {};  // a file left out and why
};

using NameFor = std::function<std::string(const std::string&)>;

// Whether the engine knows what to do with a file of this name.
[[nodiscard]] bool is_definition_name(std::string_view name);

// Copies the plain definition files that lie in `source` itself, at most `most` of them, into the
// open folder `target`, each under the name that `name_for` gives, mode 0644. Links are not
// followed, FIFOs and devices not opened; a file that changes while it is read is left out after a
// second try. An error is one of `target`: no room, no permission. What is wrong with the source is
// in Taken. Reads foreign files: may block on a network file system, so not for the loop thread.
[[nodiscard]] Result<Taken> take_folder(const std::filesystem::path& source,
                                        int target,
                                        std::size_t most,
                                        const NameFor& name_for);

}  // namespace vigia::definitions
