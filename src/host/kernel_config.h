// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/kernel.h"

namespace vigia::host {

// The options that decisions of this folder rest on.
[[nodiscard]] std::span<const std::string_view> asked_options();

// A .config as Kconfig writes it. Of the options that are not asked for nothing is kept.
[[nodiscard]] Parsed<KernelConfig> parse_kernel_config(std::string_view text);

// The content of a gzip file, at most `limit` bytes of it; more, or a damaged one, is a reason.
[[nodiscard]] Parsed<std::string> gunzip(std::string_view bytes, std::size_t limit);

// Of the running kernel from proc/config.gz; of any from boot/config-<release>,
// lib/modules/<release>/config or the headers' .config. `is_running`: the release is that of
// proc/sys/kernel/osrelease under this root.
[[nodiscard]] Fact<KernelConfig> kernel_config(const Root& root,
                                               const KernelRelease& release,
                                               bool is_running);

}  // namespace vigia::host
