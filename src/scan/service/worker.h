// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "model/sha256.h"

namespace vigia::scan::detail {

// One worker process. Constant while it is in the pool.
struct Worker {
    std::uint64_t engine = 0;  // serial number of its zygote
    std::uint32_t slot = 0;
    pid_t pid = 0;
    UniqueFd socket;
    UniqueFd pidfd;
};

using WorkerId = std::uint64_t;

// What a worker is busy with: the evidence if it does not survive it.
struct Flight {
    std::optional<Sha256> content;
    std::string path;
    std::uint64_t size = 0;
};

struct Ending {
    std::string how;
    bool blameless =
        false;  // it ended with its zygote or with the service, not because of its file
};

}  // namespace vigia::scan::detail
