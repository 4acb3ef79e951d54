// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"

// What /proc and a pidfd say about another process: what a child claims is checked against it.
namespace vigia::scan::detail {

// The process a pidfd stands for, in our pid namespace; nothing once it has been reaped. Anything
// that is not a pidfd of a process we can see is an error.
[[nodiscard]] Result<std::optional<pid_t>> pid_behind(int pidfd);

[[nodiscard]] Result<pid_t> parent_of(pid_t pid);
[[nodiscard]] Result<uid_t> effective_user_of(pid_t pid);

// The account's name, or the number where it has none.
[[nodiscard]] std::string user_name(uid_t uid);

// The most memory that it has had resident so far, in bytes; 0 where that cannot be read.
[[nodiscard]] std::uint64_t peak_memory_of(pid_t pid);

// True once the process has ended, reaped or not. Waits at most `timeout`.
[[nodiscard]] bool has_ended(int pidfd, std::chrono::milliseconds timeout = {}) noexcept;

// SIGKILL; a process that is gone already is left alone.
void kill_by(int pidfd) noexcept;

}  // namespace vigia::scan::detail
