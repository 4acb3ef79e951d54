// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "response/content_guard.h"
#include "response/quarantine.h"
#include "response/vault.h"

namespace vigia::response {

// What the steps of one quarantine work with. Borrows; as thread-safe as its parts.
struct Work {
    Vault& vault;
    const Quarantine::Options& options;
    const Quarantine::Hooks& hooks;

    // A test's place to stop the work; nothing in production.
    void step(int number) const;
};

// The content is in the vault and the journal knows it: takes the names away, records the end.
// `object` is a readable descriptor of it.
[[nodiscard]] Report finish(const Work& work, Report report, int object, const ContentGuard& guard);

// Nothing was taken: the vault as it was before, the item recorded as Deleted with `word`.
[[nodiscard]] Report undo(const Work& work, Report report, std::string word);

// Finishes or undoes one item of the journal in state Storing or Removing.
[[nodiscard]] Report recover_item(const Work& work, const QuarantineItem& item);

// See Quarantine::restore().
[[nodiscard]] Result<std::string> restore_item(const Work& work,
                                               const QuarantineItem& item,
                                               const std::string& to);

}  // namespace vigia::response
