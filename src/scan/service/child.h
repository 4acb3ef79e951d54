// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"

namespace vigia::scan::detail {

struct Child {
    Subprocess process;
    UniqueFd socket;  // SEQPACKET, to its descriptor 3
};

// `program --socket-fd 3 --user NAME` with our standard error, if we have one. To be called by a
// thread that lives as long as the child: its parent-death signal is tied to it.
[[nodiscard]] Result<Child> start_child(const std::filesystem::path& program,
                                        const std::string& user);

}  // namespace vigia::scan::detail
