// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "base/result.h"
#include "model/sha256.h"

namespace vigia::response {

// Watches that a file keeps the content that was judged, while its names are being taken away.
// Names and times that change do not make it another content (a loop of renames or touches would
// escape for ever): where they do, or somebody could still write, the content is read again.
// Borrows the descriptor. Not thread-safe.
class ContentGuard {
public:
    enum class State : std::uint8_t {
        Same,      // nothing has changed since the last look
        Doubtful,  // only reading it again can tell
        Changed,
    };

    // `file` readable; its state now is the one that `judged` is compared with.
    [[nodiscard]] static Result<ContentGuard> create(int file, const Sha256& judged);

    [[nodiscard]] State look() const;

    // Reads all of it. True also makes the state found the one to compare with.
    [[nodiscard]] Result<bool> has_judged_content();

    // A rename or unlink of ours has changed the inode's ctime.
    void accept_own_change();

    // So small that reading it again costs less than being wrong (hard-parts 2: a write through a
    // mapping, or within one tick of the clock, leaves the times as they are).
    [[nodiscard]] bool is_cheap() const noexcept;

private:
    ContentGuard(int file, const Sha256& judged, const struct stat& known)
        : file_(file), judged_(judged), known_(known) {}

    int file_;
    Sha256 judged_;
    struct stat known_;
};

}  // namespace vigia::response
