// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/removal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "response/mount_roots.h"
#include "response/object.h"
#include "response/steps.h"

namespace vigia::response {
namespace {

// How often a name that moves away is followed before all names are searched.
constexpr int kRounds = 8;
constexpr std::size_t kNamesRecorded = 32;

// Overlay: numbers of directory entries may be those of a layer below.
bool dirents_tell_inodes(int object) {
    struct statfs info{};
    return ::fstatfs(object, &info) == 0 && info.f_type != OVERLAYFS_SUPER_MAGIC;
}

}  // namespace

std::string private_name_of(const QuarantineItem& item) {
    return ".vigia-" + item.id;
}

std::string path_in(int folder, const std::string& base, const std::string& given) {
    auto path = path_of(folder);
    struct stat here{};
    struct stat there{};
    // In another mount namespace the kernel's path of a folder leads nowhere, or elsewhere, in
    // ours.
    if (!path || ::fstat(folder, &here) < 0 || ::stat(path->c_str(), &there) < 0 ||
        !is_same_object(here, there)) {
        return given;
    }
    if (!path->ends_with('/')) {
        path->push_back('/');
    }
    return *path + base;
}

bool leads_to(const std::string& path, int object) {
    const auto info = stat_of(object);
    struct stat found{};
    return info && !path.empty() && ::lstat(path.c_str(), &found) == 0 &&
           is_same_object(found, *info);
}

std::string current_path(int object, const std::string& hint) {
    auto path = path_of(object).value_or("");
    return leads_to(path, object) ? path : hint;
}

Removal::Removal(Parts parts, ContentGuard guard)
    : parts_(std::move(parts)),
      guard_(guard),
      names_({.object = parts_.object,
              .private_name = private_name_of(*parts_.item),
              .guard = &guard_,
              .may_remove = parts_.hooks->may_remove,
              .announce = [this](const std::string& path) { return announce(path); },
              .step = parts_.step}),
      recorded_names_(parts_.item->names_removed.size()) {}

// A kill leaves the private name in the folder that the journal knows. A name that keeps changing
// in one folder costs no record each time: following it has to be quick. Nor do names beyond a
// number that nobody reads any more.
Result<> Removal::announce(const std::string& path) {
    auto& item = *parts_.item;
    const auto removed = item.names_removed.size();
    const bool same_folder = split_path(path).folder == split_path(item.taking).folder;
    if (same_folder && (removed == recorded_names_ || removed > kNamesRecorded)) {
        return {};
    }
    item.taking = path;
    recorded_names_ = removed;
    return parts_.hooks->record(item);
}

std::uint64_t Removal::links() const {
    const auto info = stat_of(parts_.object);
    return info ? info->st_nlink : 0;
}

bool Removal::must_stop() const {
    // Nothing gone and one name that cannot go: leave everything as it was.
    return problem_ && (problem_->stop || parts_.item->names_removed.empty());
}

// True when the object has lost this name.
bool Removal::take(int folder, const std::string& base, const std::string& path) {
    struct stat info{};
    if (::fstat(folder, &info) < 0) {
        return false;
    }
    const NameKey key{info.st_dev, info.st_ino, base};
    auto fate = names_.take(folder, base, path);
    if (!fate) {
        left_[key] = path;
        if (!problem_ || fate.error().stop) {
            problem_ = std::move(fate).error();
        }
        return false;
    }
    switch (*fate) {
        case NameFate::Removed:
            left_.erase(key);
            parts_.item->names_removed.push_back(path);
            return true;
        case NameFate::NotAllowed:
            left_[key] = path;
            return false;
        case NameFate::NotOurs:
            return false;
    }
    return false;
}

bool Removal::take_path(const std::string& path) {
    const auto base = split_path(path).base;
    const auto folder = open_folder_of(path);
    if (!folder || !names_.is_ours(folder->get(), base)) {
        return false;
    }
    if (auto tracker = open_at(folder->get(), base.c_str(), O_PATH | O_NOFOLLOW)) {
        tracker_ = *std::move(tracker);
    }
    return take(folder->get(), base, path_in(folder->get(), base, path));
}

// Tries the names that are known, following renames. True when one was taken.
bool Removal::take_known() {
    std::vector<std::string> paths;
    for (const int fd : {tracker_.get(), parts_.object}) {
        if (auto path = fd >= 0 ? path_of(fd) : Result<std::string>("")) {
            paths.push_back(*std::move(path));
        }
    }
    paths.push_back(parts_.item->path);
    paths.push_back(parts_.item->taking);
    return std::ranges::any_of(paths, [this](const std::string& path) {
        return !path.empty() && !must_stop() && take_path(path);
    });
}

LinkSearch::End Removal::search() {
    const auto info = stat_of(parts_.object);
    if (!info) {
        return LinkSearch::End::Cut;
    }
    LinkSearch search(*info,
                      dirents_tell_inodes(parts_.object),
                      Clock::boot() + parts_.link_search,
                      [this](int folder, const std::string& base) {
                          std::ignore = take(folder, base, path_in(folder, base, base));
                          return !must_stop() && links() > left_.size();
                      });
    // Nearest first: beside the known name, then where policy looks, then the whole file system.
    if (const auto beside = open_folder_of(parts_.item->path)) {
        if (auto folder = open_at(beside->get(), ".", O_RDONLY | O_DIRECTORY);
            folder && search.inside(*std::move(folder)) == LinkSearch::End::Enough) {
            return LinkSearch::End::Enough;
        }
    }
    const auto& hook = parts_.hooks->search_folders;
    for (const auto& folder : hook ? hook() : std::vector<std::string>()) {
        if (search.below(folder) == LinkSearch::End::Enough) {
            return LinkSearch::End::Enough;
        }
    }
    const auto roots = mount_roots_of(parts_.object);
    auto end = roots.whole ? LinkSearch::End::Complete : LinkSearch::End::Cut;
    for (const auto& point : roots.points) {
        switch (search.below(point)) {
            case LinkSearch::End::Complete:
                break;
            case LinkSearch::End::Cut:
                end = LinkSearch::End::Cut;
                break;
            case LinkSearch::End::Enough:
                return LinkSearch::End::Enough;
        }
    }
    return end;
}

Removal::Ending Removal::run() {
    for (int round = 0; round < kRounds && links() > left_.size() && !must_stop(); ++round) {
        std::ignore = take_known();
    }
    auto end = LinkSearch::End::Enough;
    if (links() > left_.size() && !must_stop()) {
        end = search();
    }
    parts_.step(kStepNamesDone);
    auto ending = conclude(end);
    for (const auto& note : names_.notes()) {
        ending.detail += (ending.detail.empty() ? "" : "; ") + note;
    }
    auto& item = *parts_.item;
    item.names_left.clear();
    for (const auto& [key, path] : left_) {
        item.names_left.push_back(path);
    }
    if (!item.names_removed.empty()) {
        item.path = item.names_removed.front();
    }
    return ending;
}

Removal::Ending Removal::names_left(std::string detail) const {
    return {.outcome = Outcome::NamesLeft,
            .nothing_taken = problem_ && parts_.item->names_removed.empty(),
            .detail = std::move(detail)};
}

Removal::Ending Removal::conclude(LinkSearch::End end) {
    const bool none_removed = parts_.item->names_removed.empty();
    const auto remaining = links();
    if (remaining == 0) {
        left_.clear();  // whoever held them has removed them meanwhile
        return {.outcome = none_removed ? Outcome::Vanished : Outcome::Quarantined, .detail = {}};
    }
    if (problem_ && none_removed) {
        return {.outcome = problem_->outcome, .nothing_taken = true, .detail = problem_->detail};
    }
    if (problem_) {
        return names_left("some names could not be taken away: " + problem_->detail);
    }
    if (!left_.empty()) {
        const auto unknown = remaining - std::min<std::uint64_t>(remaining, left_.size());
        return names_left(
            unknown == 0 ? "names outside the watched folders or in an exclusion were left"
                         : fmt::format("names outside the watched folders or in an exclusion were "
                                       "left, and {} more that were not found",
                                       unknown));
    }
    if (end != LinkSearch::End::Complete) {
        return names_left(fmt::format(
            "{} more hard links exist that were not found in time or cannot be seen from here; "
            "scan the whole file system to find them",
            remaining));
    }
    return empty_content();
}

// The file has names that nobody can find: under a mount, or moved about faster than we look. It is
// emptied; its owner, mode and names stay.
Removal::Ending Removal::empty_content() {
    auto& item = *parts_.item;
    const auto writable = reopen(parts_.object, O_WRONLY | O_NONBLOCK);
    if (!writable) {
        return names_left(
            "names that could not be found remain, and the content cannot be "
            "emptied: " +
            writable.error().message());
    }
    if (const auto same = guard_.has_judged_content(); !same || !*same) {
        return names_left(
            "names that could not be found remain; their content has changed "
            "meanwhile and was left");
    }
    item.outcome = to_string(Outcome::Truncated);
    if (auto recorded = parts_.hooks->record(item); !recorded) {
        return names_left(recorded.error().message());
    }
    parts_.step(kStepEmptyingRecorded);
    if (::ftruncate(writable->get(), 0) < 0 || ::fsync(writable->get()) < 0) {
        return names_left(fail_errno("empty the content").error().message());
    }
    parts_.step(kStepEmptied);
    return {.outcome = Outcome::Truncated,
            .detail = fmt::format("{} hard links could not be found; their content was emptied",
                                  links())};
}

}  // namespace vigia::response
