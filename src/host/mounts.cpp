// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxNamespaces = 4096;
constexpr std::size_t kMaxForeignMounts = 65'536;  // of all other namespaces together
constexpr std::size_t kMaxMountinfo =
    std::size_t{64} * 1024 * 1024;  // fs.mount-max is 100,000 lines
constexpr std::size_t kShownOfALine = 120;

std::string_view next_word(std::string_view& rest, char separator = ' ') {
    const auto end = rest.find(separator);
    const auto word = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return word;
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [stopped, problem] = std::from_chars(text.begin(), text.end(), number);
    return problem == std::errc{} && stopped == text.end();
}

bool parse_device(std::string_view text, dev_t& device) {
    unsigned major_number = 0;
    unsigned minor_number = 0;
    const auto first = next_word(text, ':');
    if (!parse_number(first, major_number) || !parse_number(text, minor_number)) {
        return false;
    }
    device = makedev(major_number, minor_number);
    return true;
}

bool has_option(std::string_view options, std::string_view name) {
    return std::ranges::any_of(std::views::split(options, ','), [&](const auto part) {
        return std::string_view(part.begin(), part.end()) == name;
    });
}

// 36 35 98:0 /root /point rw,noatime shared:1 master:2 - ext4 /dev/root rw,errors=continue
std::optional<Mount> parse_line(std::string_view line) {
    Mount mount;
    const bool numbers = parse_number(next_word(line), mount.id) &&
                         parse_number(next_word(line), mount.parent) &&
                         parse_device(next_word(line), mount.device);
    if (!numbers) {
        return std::nullopt;
    }
    mount.root = unescape_mount_field(next_word(line));
    mount.point = unescape_mount_field(next_word(line));
    const auto of_mount = next_word(line);
    // Any number of optional fields, ended by a lone hyphen.
    while (!line.empty() && next_word(line) != "-") {
    }
    mount.type = unescape_mount_field(next_word(line));
    mount.source = unescape_mount_field(next_word(line));
    const auto of_file_system = line;
    if (mount.root.empty() || !mount.point.starts_with('/') || mount.type.empty()) {
        return std::nullopt;
    }
    mount.options = fmt::format("{},{}", of_mount, of_file_system);
    mount.read_only = has_option(of_mount, "ro") || has_option(of_file_system, "ro");
    mount.reach = mount.point;
    return mount;
}

Result<std::vector<Mount>> mounts_of(const std::string& process,
                                     std::vector<std::string>& problems) {
    const auto text = TRY(read_file("/proc/" + process + "/mountinfo", kMaxMountinfo));
    return parse_mountinfo(text, problems);
}

std::optional<std::string> namespace_of(const std::string& process) {
    std::array<char, 64> target{};
    const auto link = "/proc/" + process + "/ns/mnt";
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    if (length <= 0) {
        return std::nullopt;  // the process is gone, or a zombie
    }
    return std::string(target.data(), static_cast<std::size_t>(length));
}

// One process of each mount namespace, by namespace ("mnt:[4026531841]"). Stops at kMaxNamespaces.
Result<std::map<std::string, std::string>> namespaces() {
    const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), ::closedir);
    if (!processes) {
        return fail_errno("list /proc");
    }
    std::map<std::string, std::string> found;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's readdir is safe on a stream of one's own
    while (const dirent* entry = ::readdir(processes.get())) {
        const std::string name = static_cast<const char*>(entry->d_name);
        if (name.front() < '0' || name.front() > '9') {
            continue;
        }
        if (const auto id = namespace_of(name); id && found.size() < kMaxNamespaces) {
            found.try_emplace(*id, name);
        }
    }
    return found;
}

// The mounts of one other namespace that show a device nobody else has shown yet.
std::vector<Mount> new_mounts_of(const std::string& process,
                                 std::set<dev_t>& known,
                                 std::vector<std::string>& problems) {
    auto mounts = mounts_of(process, problems);
    if (!mounts) {
        problems.push_back(mounts.error().message());
        return {};
    }
    std::erase_if(*mounts, [&](const Mount& mount) { return known.contains(mount.device); });
    for (auto& mount : *mounts) {
        mount.other_namespace = true;
        mount.reach = "/proc/" + process + "/root" + (mount.point == "/" ? "" : mount.point);
        known.insert(mount.device);
    }
    return std::move(*mounts);
}

}  // namespace

std::vector<Mount> parse_mountinfo(std::string_view text, std::vector<std::string>& problems) {
    std::vector<Mount> mounts;
    while (!text.empty()) {
        const auto line = next_word(text, '\n');
        if (auto mount = parse_line(line)) {
            mounts.push_back(std::move(*mount));
        } else if (!line.empty()) {
            problems.push_back("mountinfo: not understood: " +
                               printable(line.substr(0, kShownOfALine)));
        }
    }
    return mounts;
}

Result<std::vector<Mount>> list_mounts(std::vector<std::string>* problems) {
    std::vector<std::string> ignored;
    auto& said = problems == nullptr ? ignored : *problems;
    auto mounts = TRY(mounts_of("self", said), "list the mounts");
    std::set<dev_t> known;
    for (const auto& mount : mounts) {
        known.insert(mount.device);
    }
    const std::size_t limit = mounts.size() + kMaxForeignMounts;
    const auto ours = namespace_of("self").value_or("");
    for (const auto& [id, process] : TRY(namespaces(), "list the mount namespaces")) {
        if (id == ours) {
            continue;
        }
        std::ranges::move(new_mounts_of(process, known, said), std::back_inserter(mounts));
        if (mounts.size() > limit) {
            said.push_back(
                fmt::format("more than {} mounts in other mount namespaces; the rest is "
                            "left out",
                            kMaxForeignMounts));
            mounts.resize(limit);
            break;
        }
    }
    return mounts;
}

Result<UniqueFd> open_mount_watch() {
    return open_at(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY);
}

std::string namespaces_digest() {
    const auto found = namespaces();
    if (!found) {
        return found.error().message();
    }
    // A container mounts after it has made its namespace, so what is mounted there counts too.
    constexpr std::size_t kMaxOfOne = std::size_t{1} << 20U;
    const auto ours = namespace_of("self").value_or("");
    std::size_t digest = 0;
    for (const auto& [id, process] : *found) {
        digest = digest * 31 + std::hash<std::string>{}(id);
        if (id != ours) {
            const auto text = read_file("/proc/" + process + "/mountinfo", kMaxOfOne);
            digest = digest * 31 + std::hash<std::string>{}(text.value_or(""));
        }
    }
    return fmt::format("{}-{:016x}", found->size(), digest);
}

}  // namespace vigia::host
