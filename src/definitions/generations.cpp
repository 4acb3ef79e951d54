// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/generations.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <string_view>
#include <system_error>

#include "base/files.h"
#include "base/text.h"
#include "base/uuid.h"
#include "definitions/digest.h"

namespace vigia::definitions {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDraftPrefix = ".draft-";
constexpr std::size_t kNameDigits = 16;

bool is_generation_name(std::string_view name) {
    return name.size() == kNameDigits && std::ranges::all_of(name, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

Result<UniqueFd> open_folder(const fs::path& path) {
    return open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// Names in generations/; nothing if it cannot be listed, which the next write will tell of.
std::vector<std::string> entries_of(const fs::path& path) {
    const auto folder = open_folder(path);
    auto names = folder ? names_in(folder->get(), kMaxFiles)
                        : Result<std::vector<std::string>>{std::unexpected(folder.error())};
    return std::move(names).value_or(std::vector<std::string>{});
}

std::error_code remove_folder(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    return error;
}

bool is_intact(const fs::path& path, const std::string& name) {
    const auto folder = open_folder(path);
    const auto found = folder ? generation_name(folder->get())
                              : Result<std::string>{std::unexpected(folder.error())};
    return found && *found == name;
}

}  // namespace

Draft::~Draft() {
    if (!path_.empty()) {
        (void)remove_folder(path_);
    }
}

Result<std::string> generation_name(int folder) {
    return TRY(digest_of_folder(folder)).hex().substr(0, kNameDigits);
}

Result<Generations> Generations::open(const fs::path& state) {
    for (const auto* name : {"incoming", "generations", "rejected"}) {
        TRY(ensure_folder(state / name, 0755, ::geteuid(), ::getegid()), "definitions");
    }
    Generations generations(state);
    for (const auto& name : entries_of(state / "generations")) {
        if (name.starts_with(kDraftPrefix)) {
            (void)remove_folder(generations.folder_of(name));
        }
    }
    return generations;
}

fs::path Generations::folder_of(const std::string& name) const {
    return state_ / "generations" / name;
}

Result<Draft> Generations::begin() const {
    auto path = folder_of(std::string(kDraftPrefix) + Uuid::random().text);
    if (::mkdir(path.c_str(), 0700) < 0) {
        return fail_errno("make folder " + printable(path.native()));
    }
    auto folder = open_folder(path);
    if (!folder) {
        (void)remove_folder(path);
        return std::unexpected(std::move(folder).error());
    }
    return Draft(std::move(path), *std::move(folder));
}

// No fsync here: what a loss of power tears no longer has the digest that its name promises, and is
// set aside at the next gather.
Result<fs::path> Generations::adopt(Draft draft,
                                    const std::string& name,
                                    std::vector<std::string>& problems) const {
    auto path = folder_of(name);
    struct stat info{};
    const bool present = ::lstat(path.c_str(), &info) == 0;
    if (present && is_intact(path, name)) {
        ::utimensat(
            AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);  // used last, for prune()
        return path;
    }
    if (present) {
        const auto aside = state_ / "rejected" / name;
        (void)remove_folder(aside);
        if (::rename(path.c_str(), aside.c_str()) < 0) {
            return fail_errno("set aside " + printable(path.native()));
        }
        problems.push_back(fmt::format(
            "generation {} was changed on disk; set aside in {}", name, printable(aside.native())));
    }
    if (::fchmod(draft.folder(), 0755) < 0 || ::rename(draft.path_.c_str(), path.c_str()) < 0) {
        return fail_errno("name the generation " + printable(path.native()));
    }
    draft.path_.clear();
    return path;
}

Result<> Generations::activate(const std::string& name) const {
    const auto state = TRY(open_folder(state_));
    const auto temporary = ".current-" + Uuid::random().text;
    const auto target = "generations/" + name;
    if (::symlinkat(target.c_str(), state.get(), temporary.c_str()) < 0) {
        return fail_errno("make the link current");
    }
    if (::renameat(state.get(), temporary.c_str(), state.get(), "current") < 0) {
        const auto failed = fail_errno("switch the link current");
        ::unlinkat(state.get(), temporary.c_str(), 0);
        return failed;
    }
    return ::fsync(state.get()) < 0 ? Result<>{fail_errno("fsync folder")} : Result<>{};
}

void Generations::prune(unsigned keep, std::vector<std::string>& problems) const {
    std::error_code error;
    const auto current = fs::read_symlink(state_ / "current", error).filename();
    std::vector<std::pair<fs::file_time_type, std::string>> others;
    for (const auto& name : entries_of(state_ / "generations")) {
        const auto used = fs::last_write_time(folder_of(name), error);
        if (is_generation_name(name) && name != current && !error) {
            others.emplace_back(used, name);
        }
    }
    std::ranges::sort(others, std::greater{});
    for (std::size_t at = keep > 0 ? keep - 1 : 0; at < others.size(); ++at) {
        const auto path = folder_of(others[at].second);
        if (const auto failed = remove_folder(path)) {
            problems.push_back(fmt::format(
                "old generation {} stays: {}", printable(path.native()), failed.message()));
        }
    }
}

}  // namespace vigia::definitions
