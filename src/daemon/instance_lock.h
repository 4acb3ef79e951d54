// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::daemon {

// One daemon per prefix: holds a lock on the pid file, which the kernel releases whatever happens.
class InstanceLock {
public:
    // EBUSY, with the holder's pid in the text, when another one runs.
    [[nodiscard]] static Result<InstanceLock> acquire(const std::filesystem::path& pid_file);

private:
    explicit InstanceLock(UniqueFd file) : file_(std::move(file)) {}

    UniqueFd file_;
};

}  // namespace vigia::daemon
