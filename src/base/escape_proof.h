// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#ifdef VIGIA_TEST_HOOKS

#include <span>
#include <string>
#include <string_view>

// The proof of the sandbox from the inside (hard-parts 11): what a child that a hostile file has
// taken over would try. Only in builds with test hooks. Harmless where it is held; where it is not,
// nothing worse happens than a changed mode or time of `file`.
namespace vigia::escape {

struct Target {
    int file = -1;                // handed over by the daemon, readable
    int socket = -1;              // to the daemon
    std::string_view own_folder;  // where the child may write; empty: nowhere
};

struct Attempt {
    std::string_view name;
    bool (*succeeds)(const Target& target);
};

[[nodiscard]] std::span<const Attempt> attempts_on_files();
[[nodiscard]] std::span<const Attempt> attempts_on_processes();
[[nodiscard]] std::span<const Attempt> attempts_on_kernel();

// All of them: "HELD:92", or "ESCAPED:fork,open_passwd" with the names of those that succeeded.
[[nodiscard]] std::string prove(const Target& target);

}  // namespace vigia::escape

#endif
