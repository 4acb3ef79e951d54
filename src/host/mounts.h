// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/mount.h"

namespace vigia::host {

// Parses mountinfo. A line that does not parse is left out and named in `problems`.
[[nodiscard]] std::vector<Mount> parse_mountinfo(std::string_view text,
                                                 std::vector<std::string>& problems);

// All mounts of our mount namespace, and those of every other mount namespace found under /proc
// whose device is not among ours (reach = /proc/PID/root…). At most 4,096 namespaces are looked at.
// What was left out (unreadable, not understood, beyond 65,536 mounts) is named in `problems`.
[[nodiscard]] Result<std::vector<Mount>> list_mounts(std::vector<std::string>* problems = nullptr);

// /proc/self/mountinfo, to be polled for EPOLLPRI: readable when the mounts have changed.
[[nodiscard]] Result<UniqueFd> open_mount_watch();

// A cheap digest of which mount namespaces exist now; changes when one appears or goes.
[[nodiscard]] std::string namespaces_digest();

}  // namespace vigia::host
