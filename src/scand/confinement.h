// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/sandbox.h"
#include "base/unique_fd.h"
#include "wire/scan_protocol.h"

// What vigia-scand is made to live in (hard-parts 11): the zygote before it looks at a definition,
// each worker before it looks at a file.
namespace vigia::scand {

// Which walls are to stand: all of them, but where a test of what the daemon then says takes some
// away (test_hooks.h).
struct Walls {
    bool files = true;  // Landlock and the empty root
    bool calls = true;  // seccomp
};

struct Confinement {
    std::vector<std::string> definition_folders;  // their names inside
    std::vector<std::string> temporary_folders;   // one per slot
    std::string description;                      // "seccomp, landlock abi 7, namespaces"
    UniqueFd memory_size;                         // /proc/self/statm of the zygote
    Walls walls = {};
};

struct ZygoteTerms {
    wire::LoadDefinitions request;
    std::span<const UniqueFd> folders;
    std::optional<sandbox::User> user;  // nothing: uid 0 without capabilities (fault 5)
    pid_t daemon = 0;
};

// An error leaves the process half confined: it has to end. Where the kernel has no Landlock or we
// no right to namespaces the other one must hold, and the description says what is missing.
[[nodiscard]] Result<Confinement> confine_zygote(const ZygoteTerms& terms);

struct WorkerTerms {
    pid_t zygote = 0;
    std::string temporary_folder;
    std::uint64_t temporary_space = 0;
    std::uint64_t memory = 0;  // beyond what the zygote has
    int memory_size = -1;      // Confinement::memory_size
    Walls walls = {};
};

// In the forked worker, on top of what holds the zygote. Closes every descriptor but standard error
// and `socket`, which it returns under its new number.
[[nodiscard]] Result<UniqueFd> confine_worker(const WorkerTerms& terms, UniqueFd socket);

}  // namespace vigia::scand
