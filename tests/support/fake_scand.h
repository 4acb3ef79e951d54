// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

namespace vigia::test {

// Plays vigia-scand or vigia-hash at `socket` as badly as `role` says ("good": by the rules). Its
// workers do what the file's content says: "clean", "infected", "error", "slow" (0.3 s), "silent",
// "exit", "abort", "wrong-id", "malformed", "oversized", "close", "descriptor", "chatter" (answers
// and goes on talking), "dirty-name", "once:PATH:WHAT" (WHAT unless PATH exists, which it makes).
// The process must be one of its own: a test program calls this first thing in main(). Returns the
// exit status.
[[nodiscard]] int fake_scand(int socket, std::string_view role);

// The main() of a test program whose services start itself as their child.
[[nodiscard]] int be_peer_or_run_tests(int argc, char** argv);

}  // namespace vigia::test
