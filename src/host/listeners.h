// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/resources.h"

namespace vigia::host {

// What proc/PID/fdinfo/N says of a fanotify group; nothing if it is another kind of descriptor.
struct FanotifyInfo {
    bool permission_class = false;
    bool asks_permission = false;

    bool operator==(const FanotifyInfo&) const = default;
};

[[nodiscard]] std::optional<FanotifyInfo> parse_fanotify_info(std::string_view text);

// The product that a program's name (comm, at most 15 bytes) stands for; empty: none we know.
[[nodiscard]] std::string_view on_access_product(std::string_view program);

// Everybody's fanotify groups but those of `own`, as far as we may see. At most 32,768 processes
// and 262,144 descriptors; `truncated` says when that was not all.
[[nodiscard]] Fact<Listeners> listeners(const Root& root, pid_t own);

[[nodiscard]] FanotifyLimits fanotify_limits(const Root& root);

// proc/pressure/memory: a kernel with PSI that is not switched off.
[[nodiscard]] Fact<bool> has_pressure(const Root& root);

}  // namespace vigia::host
