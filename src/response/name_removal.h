// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "response/content_guard.h"
#include "response/quarantine.h"

namespace vigia::response {

enum class NameFate : std::uint8_t {
    Removed,
    NotOurs,     // nothing there, or another object: left as it was
    NotAllowed,  // policy wants it left
};

// Why a name that is ours could not be taken away. It is where it was.
struct NameProblem {
    Outcome outcome = Outcome::Failed;
    std::string detail;
    bool stop = false;  // no other name may be tried either
};

// Takes one name of one object away, whatever others do with that name meanwhile: the name is
// renamed to a private one in its folder, looked at there, and only then unlinked. Another object
// that was caught by the rename is put back; if its name has been given to a third one meanwhile,
// it stays beside it as "vigia-saved-…" and is told of in notes(). Not thread-safe.
class NameRemoval {
public:
    struct Parts {
        int object = -1;  // any descriptor of it
        std::string private_name;
        ContentGuard* guard = nullptr;
        std::function<bool(const std::string& path)> may_remove;
        std::function<Result<>(const std::string& path)> announce;  // durable before the rename
        std::function<void(int step)> step;
    };

    using Fate = std::expected<NameFate, NameProblem>;

    explicit NameRemoval(Parts parts) : parts_(std::move(parts)) {}

    // `parent`: the folder, O_PATH will do. `path`: how policy and people call the name.
    [[nodiscard]] Fate take(int parent, const std::string& base, const std::string& path);

    // What a kill left under the private name in this folder goes back to `base` (or is saved).
    // False if there was nothing.
    bool put_back(int parent, const std::string& base);

    // Is this name one of the object's?
    [[nodiscard]] bool is_ours(int parent, const std::string& base) const;

    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

private:
    [[nodiscard]] NameProblem problem(int error, int parent, const std::string& path) const;
    [[nodiscard]] Fate check_content(const std::string& path);
    [[nodiscard]] Fate unlink_private(int parent, const std::string& path);

    Parts parts_;
    std::vector<std::string> notes_;
};

// "/a/b" → {"/a", "b"}; "/b" → {"/", "b"}. No base: the path names no file.
struct SplitPath {
    std::string folder;
    std::string base;
};

[[nodiscard]] SplitPath split_path(const std::string& path);

// The folder by descriptor (O_PATH). Its own path may lead through links: what is done there is
// checked against the object.
[[nodiscard]] Result<UniqueFd> open_folder_of(const std::string& path);

}  // namespace vigia::response
