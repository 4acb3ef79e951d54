// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "model/file_identity.h"
#include "model/quarantine.h"

namespace vigia::response {

// What to put away: the object scanned, not a name.
struct Target {
    int file = -1;              // O_RDONLY on it, from the scan; its content is what was judged
    FileIdentity identity;      // of the content judged; another state now is `changed-meanwhile`
    bool has_identity = false;  // false where handles cannot be had: size and ctime still count
    Sha256 sha256;
    std::string path_hint;  // where its name was
    std::string threat;
    std::string detection_uid;
};

// How it ended; the word is what events carry.
enum class Outcome : std::uint8_t {
    Quarantined,  // in the vault, no name on the file system leads to it
    NamesLeft,    // in the vault; names outside the watch or in an exclusion were left, and said
    Truncated,    // in the vault; links that could not be found: content emptied instead
    Vanished,     // nobody could find a name, link count 0: content in the vault
    ChangedMeanwhile,  // no longer the content judged: nothing taken, has to be scanned again
    ReadOnly,          // mount is read-only
    Immutable,         // +i or +a
    Busy,              // ETXTBSY, a mount point, …
    VaultFailed,       // could not be stored: nothing taken
    Failed,
};

[[nodiscard]] const char* to_string(Outcome outcome) noexcept;  // "quarantined", "names-left", …

struct Report {
    Outcome outcome = Outcome::Failed;
    QuarantineItem item;
    bool open_elsewhere = false;  // somebody still holds it open
    std::string detail;           // for people
};

// The vault: one file per item, encrypted so that a second scanner sees nothing, with everything
// needed to bring it back. All folders by descriptor. Thread-safe; blocking.
class Quarantine {
public:
    struct Hooks {
        // May this name be taken away? (inside the watch, in no exclusion). Bytes, absolute.
        std::function<bool(const std::string& path)> may_remove;
        // Where other hard links of the object are to be looked for.
        std::function<std::vector<std::string>()> search_folders;
        // Makes the item's state durable before the next step (journal). An error stops the work.
        std::function<Result<>(const QuarantineItem&)> record;
        // A restored file must not go back at once: remember its identity until it changes.
        std::function<void(const FileIdentity&, const Sha256&)> on_restored;
    };

    struct Options {
        std::filesystem::path folder;                        // 0700, made if missing
        std::uint64_t max_bytes = std::uint64_t{10} << 30U;  // then Outcome::VaultFailed
        std::chrono::milliseconds link_search{10'000};       // bound of the walk for other links
        // Tests only: called after each step of the work (response/steps.h).
        std::function<void(int step)> step = {};
    };

    [[nodiscard]] static Result<std::unique_ptr<Quarantine>> open(Options options, Hooks hooks);
    virtual ~Quarantine() = default;

    // The content is the same as long as its SHA-256 is: names and times that change meanwhile are
    // followed, another content is ChangedMeanwhile. Nothing is taken before the content is durable
    // in the vault. What ends without anything taken leaves the vault as it was, and the item is
    // recorded as Deleted, with the outcome's word; nothing is recorded for what is refused at once
    // (not a regular file, read-only, immutable, another size). A file that is being run can be
    // put away (unlinking is not ETXTBSY); it goes on running.
    // Of the object's names those that may_remove() allows are taken, other hard links are looked
    // for beside the first, in search_folders(), then on the whole file system. Links that stay:
    //   - all of them found, and refused by may_remove(): NamesLeft;
    //   - some not found, and some refused: NamesLeft;
    //   - some not found, and the search was cut (link_search, a folder that cannot be read, a part
    //     of the file system that is mounted nowhere here): NamesLeft, told in `detail`;
    //   - none found though all of the file system was searched: content emptied, Truncated.
    [[nodiscard]] virtual Report put_away(const Target& target, WallTime now) = 0;

    // Finishes or undoes what a kill interrupted; called once at start with the items that the
    // journal holds in state Storing or Removing. Undone: outcome ChangedMeanwhile, item.outcome
    // "undone", every name is where it was and wants a scan. An object whose file system is not
    // mounted now is Failed and stays as it is until the next call.
    [[nodiscard]] virtual std::vector<Report> recover(const std::vector<QuarantineItem>& items) = 0;

    // Content, owner, mode, times, extended attributes. Refuses to replace an existing file
    // (EEXIST). `to` empty: where it was; a folder: its name in there; else absolute, and no part
    // of it a symbolic link (ELOOP), so that nobody can lead the file elsewhere. Gives the path.
    // The vault's copy stays until remove(). on_restored() is called before the name is visible
    // (its ctime then changes once more) and again after.
    [[nodiscard]] virtual Result<std::string> restore(const QuarantineItem& item,
                                                      const std::string& to) = 0;

    // The vault's copy goes, durably. One that is not there is fine: ask holds() first to say so.
    [[nodiscard]] virtual Result<> remove(const QuarantineItem& item) = 0;

    [[nodiscard]] virtual bool holds(const QuarantineItem& item) const = 0;

    // What lies in the vault under none of these ids, read from the files themselves (a journal
    // that was lost). Unreadable files are left out.
    [[nodiscard]] virtual std::vector<QuarantineItem> orphans(
        const std::vector<std::string>& known_ids) const = 0;

    // Bytes that the vault takes up.
    [[nodiscard]] virtual std::uint64_t used_bytes() const = 0;
};

}  // namespace vigia::response
