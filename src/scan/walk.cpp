// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "scan/folder_reader.h"

namespace vigia::scan {
namespace {

// Names of subfolders held for one level before they are walked; then the folder is read on.
constexpr std::size_t kMaxNames = std::size_t{64} * 1024;
// PATH_MAX, with room for one more name: longer paths are opened in steps.
constexpr std::size_t kMaxStep = 4096 - 256;

using OnFile = std::function<void(const WalkEntry&)>;
using OnProblem = std::function<void(const WalkProblem&)>;

struct Sinks {
    const OnFile& file;
    const OnProblem& problem;
};

// A folder being walked; its descriptor is closed while its subfolders are.
struct Level {
    std::size_t path_length = 0;  // of its path below the root
    std::string names = {};       // of subfolders not walked yet, each ended by NUL
    std::size_t next_name = 0;
    std::int64_t resume = 0;  // where to read on
    bool read_on = false;
    EntryState state = {};
};

class Walker {
public:
    Walker(int root, const std::string& shown, const WalkOptions& options, const Sinks& sinks)
        : root_(root), shown_(shown), options_(options), sinks_(sinks) {}

    void run() {
        if (is_pseudo_file_system(root_)) {
            problem("", "pseudo file system, not entered");
            return;
        }
        enter_root();
        while (!levels_.empty() && !stopped_) {
            Level& level = levels_.back();
            path_.resize(level.path_length);
            if (level.next_name < level.names.size()) {
                const std::string name = level.names.c_str() + level.next_name;
                level.next_name += name.size() + 1;
                descend(level, name);
            } else if (level.read_on) {
                read_on(level);
            } else {
                levels_.pop_back();
            }
        }
    }

private:
    void problem(const std::string& below, std::string reason) const {
        sinks_.problem({.path = full(below), .reason = std::move(reason)});
    }

    void problem(const std::string& below, const Error& error) const {
        problem(below, "open: " + error.code.message());
    }

    [[nodiscard]] std::string full(const std::string& below) const {
        if (below.empty()) {
            return shown_;
        }
        return (shown_.ends_with('/') ? shown_ : shown_ + "/") + below;
    }

    // The folder at path_, beneath the root and through no link whatever happens meanwhile.
    [[nodiscard]] Result<UniqueFd> open_folder() const {
        constexpr std::uint64_t kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
        const std::uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS |
                                      (options_.cross_mounts ? 0 : RESOLVE_NO_XDEV);
        UniqueFd base;
        std::string_view rest = path_;
        while (rest.size() > kMaxStep) {
            const std::size_t cut = rest.rfind('/', kMaxStep);
            const std::string step(rest.substr(0, cut));
            base = TRY(open_beneath(base ? base.get() : root_, step.c_str(), kFlags, resolve));
            rest.remove_prefix(cut + 1);
        }
        const std::string last(rest.empty() ? "." : rest);
        return open_beneath(base ? base.get() : root_, last.c_str(), kFlags, resolve);
    }

    void enter_root() {
        const auto folder = open_folder();
        const auto state = entry_state(root_, "");
        if (!folder || !state) {
            problem("", folder ? state.error() : folder.error());
            return;
        }
        levels_.push_back({.state = *state});
        read(folder->get(), levels_.back());
    }

    void descend(const Level& above, const std::string& name) {
        path_ += (path_.empty() ? "" : "/") + name;
        if (options_.enter && !options_.enter(full(path_))) {
            return;
        }
        if (levels_.size() > options_.max_depth) {
            problem(path_, "deeper than " + std::to_string(options_.max_depth) + " folders");
            return;
        }
        const auto folder = open_folder();
        if (!folder) {
            if (!is_border(folder.error())) {
                problem(path_, folder.error());
            }
            return;
        }
        const auto state = entry_state(folder->get(), "");
        if (!state) {
            problem(path_, state.error());
            return;
        }
        if (state->mount != above.state.mount && is_pseudo_file_system(folder->get())) {
            return;
        }
        levels_.push_back({.path_length = path_.size(), .state = *state});
        read(folder->get(), levels_.back());
    }

    // Another mount where none is to be entered. Nothing else gives EXDEV: our paths have no "..".
    [[nodiscard]] bool is_border(const Error& error) const {
        return !options_.cross_mounts && error.code.value() == EXDEV;
    }

    void read_on(Level& level) {
        level.read_on = false;
        level.names.clear();
        level.next_name = 0;
        const auto folder = open_folder();
        if (!folder) {
            problem(path_, folder.error());
            return;
        }
        const auto state = entry_state(folder->get(), "");
        if (!state || state->inode != level.state.inode || state->mount != level.state.mount ||
            ::lseek(folder->get(), level.resume, SEEK_SET) < 0) {
            problem(path_, "read: replaced by another folder during the walk");
            return;
        }
        read(folder->get(), level);
    }

    void read(int folder, Level& level) {
        const auto ended = reader_.read(folder, [&](const FolderReader::Entry& entry) {
            if (options_.stop && options_.stop()) {
                stopped_ = true;
                return false;
            }
            see(folder, entry, level);
            level.resume = entry.next;
            return level.names.size() < kMaxNames;
        });
        if (!ended) {
            problem(path_, "read: " + ended.error().code.message());
            return;
        }
        level.read_on = !*ended;
    }

    void see(int folder, const FolderReader::Entry& entry, Level& level) {
        if (entry.type == DT_DIR) {
            level.names.append(entry.name, std::strlen(entry.name) + 1);
            return;
        }
        if (entry.type != DT_REG && entry.type != DT_UNKNOWN) {
            return;
        }
        const auto state = entry_state(folder, entry.name);
        if (!state) {
            if (state.error().code != std::errc::no_such_file_or_directory) {  // gone meanwhile
                problem(below(entry.name), "stat: " + state.error().code.message());
            }
            return;
        }
        if (S_ISDIR(state->mode)) {
            level.names.append(entry.name, std::strlen(entry.name) + 1);
        } else if (S_ISREG(state->mode) &&
                   (state->mount == level.state.mount || may_cross(folder, entry.name))) {
            tell(folder, entry.name, *state);
        }
    }

    // Of a file that is itself a mount point.
    [[nodiscard]] bool may_cross(int folder, const char* name) const {
        if (!options_.cross_mounts) {
            return false;
        }
        const auto file = open_at(folder, name, O_PATH | O_NOFOLLOW);
        return file && !is_pseudo_file_system(file->get());
    }

    [[nodiscard]] std::string below(const char* name) const {
        return path_.empty() ? std::string(name) : path_ + "/" + name;
    }

    void tell(int folder, const char* name, const EntryState& state) const {
        sinks_.file({.path = full(below(name)),
                     .folder = folder,
                     .name = name,
                     .size = state.size,
                     .ctime_ns = state.ctime_ns,
                     .inode = state.inode,
                     .device_major = state.device_major,
                     .device_minor = state.device_minor,
                     .links = state.links});
    }

    const int root_;
    const std::string& shown_;
    const WalkOptions& options_;
    const Sinks sinks_;
    FolderReader reader_;
    std::string path_;  // of the current folder, below the root
    std::vector<Level> levels_;
    bool stopped_ = false;
};

// "/srv/a//" → "/srv/", "a"; "a" → ".", "a"
std::pair<std::string, std::string> split(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return {".", std::string(path)};
    }
    return {std::string(path.substr(0, slash + 1)), std::string(path.substr(slash + 1))};
}

Result<> walk_file(const std::string& path, const EntryState& state, const OnFile& on_file) {
    const auto [parent, name] = split(path);
    const auto folder = TRY(open_at(AT_FDCWD, parent.c_str(), O_PATH | O_DIRECTORY));
    const auto now = TRY(entry_state(folder.get(), name.c_str()));
    if (!S_ISREG(now.mode) || now.inode != state.inode) {
        return fail(std::errc::no_such_file_or_directory, "replaced meanwhile");
    }
    on_file({.path = path,
             .folder = folder.get(),
             .name = name.c_str(),
             .size = now.size,
             .ctime_ns = now.ctime_ns,
             .inode = now.inode,
             .device_major = now.device_major,
             .device_minor = now.device_minor,
             .links = now.links});
    return {};
}

}  // namespace

Result<> walk_folder(int folder,
                     const std::string& shown,
                     const WalkOptions& options,
                     const OnFile& on_file,
                     const OnProblem& on_problem) {
    const auto state = TRY(entry_state(folder, ""), "walk");
    if (!S_ISDIR(state.mode)) {
        return fail(std::errc::not_a_directory, "walk");
    }
    Walker(folder, shown, options, {.file = on_file, .problem = on_problem}).run();
    return {};
}

Result<> walk(const std::string& path,
              const WalkOptions& options,
              const OnFile& on_file,
              const OnProblem& on_problem) {
    std::string root = path;
    while (root.size() > 1 && root.ends_with('/')) {
        root.pop_back();  // else a link there would be followed
    }
    if (root.empty()) {
        return fail(std::errc::no_such_file_or_directory, "walk");
    }
    const auto state = TRY(entry_state(AT_FDCWD, root.c_str()), "walk");
    if (S_ISLNK(state.mode)) {
        return fail(std::errc::too_many_symbolic_link_levels, "walk: a symbolic link");
    }
    if (S_ISREG(state.mode)) {
        return walk_file(root, state, on_file);
    }
    if (!S_ISDIR(state.mode)) {
        on_problem({.path = root, .reason = "neither a folder nor a regular file"});
        return {};
    }
    const auto folder = open_at(AT_FDCWD, root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) {
        on_problem({.path = root, .reason = "open: " + folder.error().code.message()});
        return {};
    }
    return walk_folder(folder->get(), root, options, on_file, on_problem);
}

}  // namespace vigia::scan
