// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>
#include <vector>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/kernel.h"

namespace vigia::host {

// "6.1.0-13-amd64"; white space at the ends is ignored. At most 64 bytes, the kernel's own limit,
// and nothing that could leave a folder when the release becomes part of a path.
[[nodiscard]] Parsed<KernelRelease> parse_kernel_release(std::string_view text);

// Digits count as numbers: 6.1.0-9 is older than 6.1.0-13.
[[nodiscard]] bool is_older(const KernelRelease& left, const KernelRelease& right);

// proc/sys/kernel/osrelease. Of a live root this is the kernel that runs.
[[nodiscard]] Fact<KernelRelease> running_kernel(const Root& root);

// Images in boot/ and folders of lib/modules/, newest first. Unknown only if neither can be read
// for another reason than that it is not there.
[[nodiscard]] Fact<std::vector<InstalledKernel>> installed_kernels(const Root& root);

}  // namespace vigia::host
