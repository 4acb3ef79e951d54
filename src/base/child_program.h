// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <span>
#include <string>

#include "base/result.h"

namespace vigia {

// How the daemon starts a sandboxed child: `PROGRAM --socket-fd N --user NAME`.
struct ChildOptions {
    int socket = -1;        // SEQPACKET, to the daemon
    std::string user = {};  // whom to become; need not exist
    pid_t parent = 0;       // the daemon, as it was at the start
};

[[nodiscard]] Result<ChildOptions> parse_child_options(std::span<char* const> arguments);

}  // namespace vigia
