// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/paths.h"

#include <algorithm>
#include <ranges>

namespace vigia::sensors {
namespace {

std::string normalise(std::string_view folder) {
    std::string out;
    for (const auto part : std::views::split(folder, '/')) {
        const std::string_view name(part.begin(), part.end());
        if (!name.empty() && name != ".") {
            out += '/';
            out += name;
        }
    }
    return out.empty() ? "/" : out;
}

}  // namespace

bool is_below(std::string_view path, std::string_view folder) {
    if (folder == "/") {
        return path.starts_with('/');
    }
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string join(std::string_view folder, std::string_view name) {
    std::string path;
    path.reserve(folder.size() + 1 + name.size());
    path += folder;
    if (!path.ends_with('/')) {
        path += '/';
    }
    path += name;
    return path;
}

std::optional<std::string> rebase(std::string_view path,
                                  std::string_view from,
                                  std::string_view to) {
    if (!is_below(path, from)) {
        return std::nullopt;
    }
    auto rest = path.substr(from == "/" ? 0 : from.size());
    if (rest.starts_with('/')) {
        rest.remove_prefix(1);
    }
    return rest.empty() ? std::string(to) : join(to, rest);
}

FolderSet::FolderSet(const std::vector<std::string>& folders) {
    for (const auto& folder : folders) {
        folders_.push_back(normalise(folder));
    }
    std::ranges::sort(folders_);
    const auto doubled = std::ranges::unique(folders_);
    folders_.erase(doubled.begin(), doubled.end());
}

bool FolderSet::contains(std::string_view path) const {
    return std::ranges::any_of(folders_,
                               [&](const std::string& folder) { return is_below(path, folder); });
}

std::vector<std::string> FolderSet::below(std::string_view path) const {
    std::vector<std::string> found;
    std::ranges::copy_if(folders_, std::back_inserter(found), [&](const std::string& folder) {
        return folder != path && is_below(folder, path);
    });
    return found;
}

}  // namespace vigia::sensors
