// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace vigia::heal {

// Owners and modes of the instance's own folders and files, as they are installed (host/own_paths).
// Nothing is followed through a link; what is of another kind than it should be is left and said.
[[nodiscard]] Result<> restore_access(const std::filesystem::path& prefix);

// The user and the group vigia-scan, whatever of them is missing.
[[nodiscard]] Result<> create_scan_user();

// The headers of the running kernel, with the host's package manager; what it prints goes to ours.
[[nodiscard]] Result<> install_headers();

// The module vigia-bpf: installed, or enabled where it was disabled.
[[nodiscard]] Result<> install_selinux_module();

}  // namespace vigia::heal
