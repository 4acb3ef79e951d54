// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "base/unique_fd.h"
#include "model/quarantine.h"
#include "response/content_guard.h"
#include "response/link_search.h"
#include "response/name_removal.h"
#include "response/quarantine.h"

namespace vigia::response {

// Takes away every name of one object whose content is safe in the vault, and decides what to say
// of those that stay (the rule stands in quarantine.h). Used once. Not thread-safe.
class Removal {
public:
    struct Parts {
        int object = -1;                 // readable descriptor of it
        QuarantineItem* item = nullptr;  // its names are kept up to date
        const Quarantine::Hooks* hooks = nullptr;
        std::chrono::milliseconds link_search{};
        std::function<void(int step)> step;
    };

    // `guard` compares with the state in which the content was last read.
    Removal(Parts parts, ContentGuard guard);

    struct Ending {
        Outcome outcome = Outcome::Failed;
        bool nothing_taken = false;  // every name is where it was: the vault's copy is not needed
        std::string detail;
    };

    [[nodiscard]] Ending run();

private:
    [[nodiscard]] std::uint64_t links() const;
    [[nodiscard]] bool take(int folder, const std::string& base, const std::string& path);
    [[nodiscard]] bool take_known();
    [[nodiscard]] bool take_path(const std::string& path);
    [[nodiscard]] LinkSearch::End search();
    [[nodiscard]] Ending conclude(LinkSearch::End end);
    [[nodiscard]] Ending names_left(std::string detail) const;
    [[nodiscard]] Ending empty_content();
    [[nodiscard]] Result<> announce(const std::string& path);
    [[nodiscard]] bool must_stop() const;

    // A name whatever path leads to it: device and inode of its folder, and the name there.
    using NameKey = std::tuple<std::uint64_t, std::uint64_t, std::string>;

    Parts parts_;
    ContentGuard guard_;
    NameRemoval names_;
    std::size_t recorded_names_;  // of names_removed, in the journal
    UniqueFd tracker_;  // O_PATH by a name: its path follows renames, that of a handle does not
    std::map<NameKey, std::string> left_;
    std::optional<NameProblem> problem_;  // the first
};

// What a name is called while it is looked at; random, and known from the journal.
[[nodiscard]] std::string private_name_of(const QuarantineItem& item);

// Is it a name of the object now? A symbolic link at its end is none.
[[nodiscard]] bool leads_to(const std::string& path, int object);

// How the object is called now, if the kernel can tell; else the hint. Bytes.
[[nodiscard]] std::string current_path(int object, const std::string& hint);

// How people and policy call a name in an open folder.
[[nodiscard]] std::string path_in(int folder, const std::string& base, const std::string& given);

}  // namespace vigia::response
