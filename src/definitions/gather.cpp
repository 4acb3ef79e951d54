// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/text.h"
#include "base/uuid.h"
#include "definitions/builtin.h"
#include "definitions/builtin_set.h"
#include "definitions/digest.h"

namespace vigia::definitions {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr std::uint64_t kMaxFile = std::uint64_t{4} << 30U;
constexpr std::size_t kMaxFiles = 10'000;   // of one source
constexpr std::string_view kTemporary = ".gathering-";

// What libclamav loads from a folder (its manual, "Signature database formats").
constexpr std::array<std::string_view, 38> kExtensions{
    "cvd", "cld", "cud", "hdb", "hsb", "hdu", "hsu", "mdb", "msb", "mdu", "msu", "ndb", "ndu",
    "ldb", "ldu", "sdb", "zmd", "rmd", "idb", "cdb", "cbc", "fp",  "sfp", "ign", "ign2", "ftm",
    "pdb", "gdb", "wdb", "crb", "cat", "imp", "ioc", "yar", "yara", "pwdb", "info", "cfg"};

bool is_definition(std::string_view name) {
    const auto dot = name.rfind('.');
    return dot != std::string_view::npos && !name.starts_with('.') &&
           std::ranges::find(kExtensions, name.substr(dot + 1)) != kExtensions.end();
}

// The generation while it is being put together; gone again unless it was kept.
class Draft {
public:
    static Result<Draft> begin(const std::filesystem::path& generations) {
        auto path = generations / (std::string(kTemporary) + Uuid::random().text);
        TRY(ensure_folder(path, kFolderMode));
        Draft draft(std::move(path));
        draft.folder_ =
            TRY(open_at(AT_FDCWD, draft.path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        return draft;
    }

    Draft(Draft&& other) noexcept
        : path_(std::exchange(other.path_, {})), folder_(std::move(other.folder_)) {}

    Draft& operator=(Draft&&) = delete;
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    ~Draft() {
        if (!path_.empty()) {
            std::error_code ignored;
            std::filesystem::remove_all(path_, ignored);
        }
    }

    // Copies the file, digesting the very bytes that are kept.
    Result<> add(const std::string& name, int source) {
        const auto target = TRY(open_at(
            folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, kFileMode));
        digest_.begin_file(name);
        std::array<char, 65536> chunk{};
        for (std::uint64_t copied = 0;;) {
            const ssize_t got = ::read(source, chunk.data(), chunk.size());
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                return fail_errno("read " + printable(name));
            }
            if (got == 0) {
                break;
            }
            copied += static_cast<std::uint64_t>(got);
            if (copied > kMaxFile) {
                return fail(std::errc::file_too_large, printable(name));
            }
            const std::string_view bytes(chunk.data(), static_cast<std::size_t>(got));
            digest_.add(bytes);
            TRY(write_all(target.get(), bytes), "write " + printable(name));
        }
        return ::fsync(target.get()) < 0 ? Result<>{fail_errno("fsync")} : Result<>{};
    }

    void drop(const std::string& name) { ::unlinkat(folder_.get(), name.c_str(), 0); }

    // Under its final name; one that is there already is the same content by its name.
    Result<std::string> keep(const std::filesystem::path& generations) {
        auto generation = digest_.finish();
        if (::fchmod(folder_.get(), kFolderMode) < 0 || ::fsync(folder_.get()) < 0) {
            return fail_errno("make the generation durable");
        }
        const auto final_path = generations / generation;
        if (::rename(path_.c_str(), final_path.c_str()) < 0) {
            if (errno != EEXIST && errno != ENOTEMPTY) {
                return fail_errno("rename the generation");
            }
            // Its content may have been changed since: ours is fresh, so ours it is.
            std::error_code error;
            std::filesystem::remove_all(final_path, error);
            if (::rename(path_.c_str(), final_path.c_str()) < 0) {
                return fail_errno("replace the generation");
            }
        }
        path_.clear();
        return generation;
    }

private:
    explicit Draft(std::filesystem::path path) : path_(std::move(path)) {}

    std::filesystem::path path_;
    UniqueFd folder_;
    Digest digest_;
};

std::vector<std::string> definition_names(const std::filesystem::path& folder,
                                          std::vector<std::string>& problems) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
        const auto name = at->path().filename().native();
        if (!is_definition(name)) {
            problems.push_back(fmt::format("{}: not a kind of file that ClamAV loads; left out",
                                           printable(at->path().native())));
        } else if (names.size() >= kMaxFiles) {
            problems.push_back(fmt::format("{}: more than {} files; the rest is left out",
                                           printable(folder.native()),
                                           kMaxFiles));
            break;
        } else {
            names.push_back(name);
        }
    }
    if (error) {
        problems.push_back(
            fmt::format("{}: {}", printable(folder.native()), error.message()));
    }
    std::ranges::sort(names);
    return names;
}

Result<UniqueFd> open_definition(int folder, const std::string& name) {
    auto file = TRY(open_at(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat info{};
    if (::fstat(file.get(), &info) < 0 || !S_ISREG(info.st_mode)) {
        return fail(std::errc::invalid_argument, "not a regular file");
    }
    return file;
}

// One folder source into the draft. Its files get a prefix, so that two sources may hold the same
// names; what cannot be read is told and left out.
DefinitionsStatus::Source add_source(Draft& draft,
                                     const DefinitionSource& source,
                                     std::size_t index,
                                     std::vector<std::string>& problems) {
    DefinitionsStatus::Source status{.kind = source.kind, .path = source.path};
    const auto folder = open_at(AT_FDCWD, source.path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!folder) {
        status.detail = folder.error().message();
        problems.push_back("source " + status.detail);
        return status;
    }
    for (const auto& name : definition_names(source.path, problems)) {
        const auto kept_name = fmt::format("s{}-{}", index, name);
        const auto file = open_definition(folder->get(), name);
        const auto added = file ? draft.add(kept_name, file->get())
                                : Result<>{std::unexpected(file.error())};
        if (added) {
            ++status.files;
            continue;
        }
        draft.drop(kept_name);
        problems.push_back(
            fmt::format("{}/{}: {}", printable(source.path), printable(name), added.error().message()));
    }
    return status;
}

// `current` lies beside the definitions folder's content: <state>/../current → generation.
Result<> point_current_to(const std::filesystem::path& state, const std::string& generation) {
    const auto link = state.parent_path() / "current";
    const auto temporary = state.parent_path() / (".current-" + Uuid::random().text);
    const auto target = state.filename() / "generations" / generation;
    if (::symlink(target.c_str(), temporary.c_str()) < 0) {
        return fail_errno("make link 'current'");
    }
    if (::rename(temporary.c_str(), link.c_str()) < 0) {
        ::unlink(temporary.c_str());
        return fail_errno("switch link 'current'");
    }
    return {};
}

// Oldest first until `keep` are left; half-made ones of a run that was killed at once.
void remove_old(const std::filesystem::path& generations,
                const std::string& current,
                unsigned keep) {
    struct Old {
        std::filesystem::file_time_type time;
        std::filesystem::path path;
    };

    std::vector<Old> old;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(generations, ignored)) {
        const auto name = entry.path().filename().native();
        if (name.starts_with(kTemporary)) {
            std::filesystem::remove_all(entry.path(), ignored);
        } else if (name != current) {
            old.push_back({entry.last_write_time(ignored), entry.path()});
        }
    }
    std::ranges::sort(old, std::greater{}, &Old::time);
    for (std::size_t i = std::max(keep, 1U) - 1; i < old.size(); ++i) {
        std::filesystem::remove_all(old[i].path, ignored);
    }
}

}  // namespace

Result<GatheredSet> gather(const std::filesystem::path& state, const Policy::Definitions& policy) {
    const auto generations = state / "generations";
    for (const char* folder : {"incoming", "generations", "rejected"}) {
        TRY(ensure_folder(state / folder, kFolderMode), "definitions");
    }
    GatheredSet set;
    auto draft = TRY(Draft::begin(generations), "definitions");
    const auto builtin = builtin_set();
    for (const auto& file : builtin) {
        const UniqueFd memory{::memfd_create("builtin", MFD_CLOEXEC)};
        if (!memory) {
            return fail_errno("memfd");
        }
        TRY(write_all(memory.get(), file.content));
        ::lseek(memory.get(), 0, SEEK_SET);
        TRY(draft.add(file.name, memory.get()), "definitions");
    }
    set.status.sources.push_back(
        {.kind = "built-in", .path = "", .files = builtin.size(), .detail = "EICAR, canary"});
    for (std::size_t i = 0; i < policy.sources.size(); ++i) {
        const auto& source = policy.sources[i];
        if (source.kind == "folder") {
            set.status.sources.push_back(add_source(draft, source, i, set.problems));
        } else {
            set.status.sources.push_back({.kind = source.kind,
                                          .path = source.url,
                                          .detail = "updates over the network are not in this version"});
        }
    }
    set.generation = TRY(draft.keep(generations), "definitions");
    set.folder = generations / set.generation;
    TRY(point_current_to(state, set.generation), "definitions");
    remove_old(generations, set.generation, policy.keep_generations);
    set.folders.push_back(
        TRY(open_at(AT_FDCWD, set.folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)));
    set.status.generation = set.generation;
    return set;
}

}  // namespace vigia::definitions
