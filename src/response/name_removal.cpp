// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/name_removal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/files.h"
#include "base/text.h"
#include "base/uuid.h"
#include "response/object.h"
#include "response/steps.h"

namespace vigia::response {
namespace {

// EINVAL: a file system without RENAME_NOREPLACE (old FUSE, NFS). The private name is random, so
// nothing of anybody's can be there.
int rename_to_private(int parent, const std::string& from, const std::string& to) {
    if (from == to) {
        return 0;  // left by a kill
    }
    int result = ::renameat2(parent, from.c_str(), parent, to.c_str(), RENAME_NOREPLACE);
    if (result < 0 && errno == EINVAL) {
        result = ::renameat(parent, from.c_str(), parent, to.c_str());
    }
    return result < 0 ? errno : 0;
}

// O_PATH descriptors can neither be synced nor asked for flags.
Result<UniqueFd> readable(int folder) {
    return open_at(folder, ".", O_RDONLY | O_DIRECTORY);
}

std::unexpected<NameProblem> stop(Outcome outcome, std::string detail) {
    return std::unexpected(
        NameProblem{.outcome = outcome, .detail = std::move(detail), .stop = true});
}

void make_durable(int parent) {
    // Failing means a name may come back after a power loss; it will then be scanned as a new one.
    if (const auto folder = readable(parent)) {
        ::fsync(folder->get());
    }
}

}  // namespace

SplitPath split_path(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) {
        return {};
    }
    SplitPath split{.folder = path.substr(0, std::max<std::size_t>(slash, 1)),
                    .base = path.substr(slash + 1)};
    if (split.base == "." || split.base == "..") {
        split.base.clear();
    }
    return split;
}

Result<UniqueFd> open_folder_of(const std::string& path) {
    const auto split = split_path(path);
    if (split.base.empty()) {
        return fail(std::errc::invalid_argument, "name of a file: " + printable(path));
    }
    return open_at(AT_FDCWD, split.folder.c_str(), O_PATH | O_DIRECTORY);
}

bool NameRemoval::is_ours(int parent, const std::string& base) const {
    struct stat found{};
    const auto object = stat_of(parts_.object);
    return object && ::fstatat(parent, base.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_same_object(found, *object);
}

NameProblem NameRemoval::problem(int error, int parent, const std::string& path) const {
    const std::error_code code(error, std::system_category());
    NameProblem problem{.outcome = Outcome::Failed,
                        .detail = fmt::format("take away {}: {}", printable(path), code.message())};
    if (error == EROFS) {
        problem.outcome = Outcome::ReadOnly;
    } else if (error == EBUSY || error == ETXTBSY) {
        problem.outcome = Outcome::Busy;
    } else if (error == EPERM || error == EACCES) {
        const auto folder = readable(parent);
        const bool flags = is_protected_by_flags(parts_.object) ||
                           (folder && is_protected_by_flags(folder->get()));
        problem.outcome = flags ? Outcome::Immutable : Outcome::Failed;
    }
    return problem;
}

bool NameRemoval::put_back(int parent, const std::string& base) {
    const auto& private_name = parts_.private_name;
    struct stat found{};
    if (::fstatat(parent, private_name.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    if (!base.empty() &&
        ::renameat2(parent, private_name.c_str(), parent, base.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    const std::string saved = "vigia-saved-" + Uuid::random().text;
    if (rename_to_private(parent, private_name, saved) == 0) {
        const auto folder = path_of(parent);
        notes_.push_back(
            fmt::format("{} was given to another file meanwhile; the one that was "
                        "there before is kept as {}/{}",
                        printable(base),
                        printable(folder.value_or("…")),
                        saved));
    }
    return true;
}

NameRemoval::Fate NameRemoval::take(int parent, const std::string& base, const std::string& path) {
    if (!is_ours(parent, base)) {
        return NameFate::NotOurs;
    }
    if (!parts_.may_remove(path)) {
        return NameFate::NotAllowed;
    }
    if (auto announced = parts_.announce(path); !announced) {
        return stop(Outcome::Failed, announced.error().message());
    }
    const auto state = parts_.guard->look();
    if (state == ContentGuard::State::Changed) {
        return stop(Outcome::ChangedMeanwhile, printable(path) + " has changed");
    }
    const int error = rename_to_private(parent, base, parts_.private_name);
    if (error == ENOENT) {
        return NameFate::NotOurs;
    }
    if (error != 0) {
        return std::unexpected(problem(error, parent, path));
    }
    parts_.step(kStepNameAside);
    if (!is_ours(parent, parts_.private_name)) {
        put_back(parent, base);
        return NameFate::NotOurs;
    }
    // The rename has changed the ctime: from here on only reading tells.
    const bool read_again = state == ContentGuard::State::Doubtful || parts_.guard->is_cheap();
    auto fate = read_again ? check_content(path) : Fate(NameFate::Removed);
    fate = fate ? unlink_private(parent, path) : fate;
    if (!fate) {
        put_back(parent, base);
    }
    return fate;
}

NameRemoval::Fate NameRemoval::check_content(const std::string& path) {
    const auto same = parts_.guard->has_judged_content();
    if (!same) {
        return stop(Outcome::Failed, same.error().message());
    }
    return *same ? Fate(NameFate::Removed)
                 : stop(Outcome::ChangedMeanwhile, printable(path) + " has changed");
}

NameRemoval::Fate NameRemoval::unlink_private(int parent, const std::string& path) {
    if (::unlinkat(parent, parts_.private_name.c_str(), 0) < 0) {
        const int error = errno;
        // ENOENT: moved away from under us; the caller looks for it again.
        return error == ENOENT ? Fate(NameFate::NotOurs)
                               : std::unexpected(problem(error, parent, path));
    }
    parts_.guard->accept_own_change();
    parts_.step(kStepNameGone);
    make_durable(parent);
    return NameFate::Removed;
}

}  // namespace vigia::response
