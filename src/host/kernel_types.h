// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/kernel.h"

// Where a kernel's types can be learned from: BTF, or headers that BTF can be derived from.
namespace vigia::host {

// Bytes at the beginning of BTF data, of either byte order.
[[nodiscard]] bool begins_as_btf(std::string_view bytes);

// Of the kernel that runs under this root: sys/kernel/btf/vmlinux; a file there that is no BTF, or
// cannot be read, leaves it unknown. Of another one: what its configuration says.
[[nodiscard]] Fact<KernelBtf> kernel_btf(const Root& root,
                                         const Fact<KernelConfig>& config,
                                         bool is_running);

// The release a header tree was made for: include/config/kernel.release, or the string in
// include/generated/utsrelease.h.
[[nodiscard]] Parsed<std::string> parse_utsrelease(std::string_view text);

// lib/modules/<release>/build, usr/src/linux-headers-<release>, usr/src/kernels/<release>. A link
// that leads nowhere, an empty folder and a tree of another release are "not found".
[[nodiscard]] Fact<KernelHeaders> kernel_headers(const Root& root, const KernelRelease& release);

}  // namespace vigia::host
