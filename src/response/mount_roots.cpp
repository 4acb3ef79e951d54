// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/mount_roots.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"

namespace vigia::response {
namespace {

constexpr std::size_t kMaxMountInfo = std::size_t{16} << 20U;

// The members of a line of mountinfo (proc_pid_mountinfo(5)) that matter here.
struct MountLine {
    std::uint64_t id = 0;
    std::string_view device;  // "major:minor"
    std::string_view root;
    std::string_view point;  // octal escapes still in
};

std::optional<MountLine> parse(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty() && words.size() < 5) {
        const auto end = std::min(line.find(' '), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    MountLine mount;
    if (words.size() < 5) {
        return std::nullopt;
    }
    const auto id = words[0];
    if (std::from_chars(id.begin(), id.end(), mount.id).ec != std::errc{}) {
        return std::nullopt;
    }
    mount.device = words[2];
    mount.root = words[3];
    mount.point = words[4];
    return mount;
}

// "\040" and the like.
std::string unescape(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        unsigned value = 0;
        const auto digits = text.substr(std::min(at + 1, text.size()), 3);
        if (text[at] == '\\' && digits.size() == 3 &&
            std::from_chars(digits.begin(), digits.end(), value, 8).ec == std::errc{}) {
            plain.push_back(static_cast<char>(value));
            at += 3;
        } else {
            plain.push_back(text[at]);
        }
    }
    return plain;
}

// A mount point that is covered by another mount shows that one.
bool shows_mount(const std::string& point, std::uint64_t id) {
    struct statx info{};
    return ::statx(AT_FDCWD, point.c_str(), AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &info) == 0 &&
           info.stx_mnt_id == id;
}

std::vector<MountLine> lines_of(std::string_view text) {
    std::vector<MountLine> mounts;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (const auto mount = parse(text.substr(0, end))) {
            mounts.push_back(*mount);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return mounts;
}

}  // namespace

MountRoots mount_roots_of(int object) {
    struct statx info{};
    const auto text = read_file("/proc/self/mountinfo", kMaxMountInfo);
    if (!text || ::statx(object, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) < 0) {
        return {};
    }
    const auto mounts = lines_of(*text);
    const auto own = std::ranges::find(mounts, info.stx_mnt_id, &MountLine::id);
    if (own == mounts.end()) {
        return {};  // a mount of another namespace
    }
    MountRoots roots;
    for (const auto& mount : mounts) {
        const auto point = unescape(mount.point);
        if (mount.device != own->device || !shows_mount(point, mount.id)) {
            continue;
        }
        if (mount.root == "/") {
            return {.points = {point}, .whole = true};
        }
        roots.points.push_back(point);
    }
    return roots;
}

}  // namespace vigia::response
