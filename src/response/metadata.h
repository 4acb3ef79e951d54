// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "base/result.h"
#include "model/quarantine.h"

namespace vigia::response {

// Of the extended attributes at most this many bytes are kept (names and values): they stand in the
// journal too. Beyond it the rest is left out, security.* and access lists last to go.
inline constexpr std::size_t kMaxAttributeBytes = std::size_t{256} * 1024;

// Fills what the item keeps about the object behind `fd`: size, mode, owner, times, extended
// attributes, and how to know it again. False: there were more attributes than are kept.
[[nodiscard]] Result<bool> describe(int fd, QuarantineItem& item);

// Gives an open file owner, extended attributes, mode (setuid too) and times of the item, in the
// order in which none undoes another. Fails on the first that the file system does not take;
// what only the kernel's security modules decide (security.selinux, .ima, .evm) may be refused.
[[nodiscard]] Result<> apply(int fd, const QuarantineItem& item);

}  // namespace vigia::response
