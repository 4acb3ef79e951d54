// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigia::sensors {

// Paths as the kernel gives them: absolute, no "." or "..", no double slash, no slash at the end
// but in "/" itself. Bytes; all comparison is by whole components ("/a" does not hold "/ab").

[[nodiscard]] bool is_below(std::string_view path, std::string_view folder);  // or equal

[[nodiscard]] std::string join(std::string_view folder, std::string_view name);

// `path`, which lies below `from`, at the same place below `to`. Nothing if it does not lie there.
[[nodiscard]] std::optional<std::string> rebase(std::string_view path,
                                                std::string_view from,
                                                std::string_view to);

class FolderSet {
public:
    FolderSet() = default;
    explicit FolderSet(const std::vector<std::string>& folders);  // normalised here

    // Is `path` one of the folders or below one?
    [[nodiscard]] bool contains(std::string_view path) const;

    // The folders that lie truly below `path`.
    [[nodiscard]] std::vector<std::string> below(std::string_view path) const;

    [[nodiscard]] const std::vector<std::string>& all() const { return folders_; }

private:
    std::vector<std::string> folders_;
};

}  // namespace vigia::sensors
