// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/mount_access.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/text.h"

namespace vigia::sensors {
namespace {

constexpr std::size_t kMaxNamespaces = 4096;

Result<UniqueFd> verified(Result<UniqueFd> root, const Mount& mount) {
    if (!root) {
        return root;
    }
    const auto id = TRY(mount_id_of(root->get()));
    if (id != static_cast<std::uint64_t>(mount.id)) {
        return std::unexpected(stale("another mount stands at " + printable(mount.point)));
    }
    return root;
}

// The path of another namespace is walked inside that namespace's root: its links lead nowhere
// else.
Result<UniqueFd> open_through(const std::string& process, const Mount& mount) {
    const auto root = TRY(open_at(AT_FDCWD, ("/proc/" + process + "/root").c_str(), O_PATH));
    return verified(
        open_beneath(
            root.get(), mount.point.c_str(), O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS),
        mount);
}

// "/proc/PID/root/…" → PID
std::string process_of(std::string_view reach) {
    constexpr std::string_view kBefore = "/proc/";
    if (!reach.starts_with(kBefore)) {
        return {};
    }
    reach.remove_prefix(kBefore.size());
    return std::string(reach.substr(0, reach.find('/')));
}

std::optional<std::string> namespace_of(const std::string& process) {
    std::array<char, 64> target{};
    const auto link = "/proc/" + process + "/ns/mnt";
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    return length <= 0
               ? std::nullopt
               : std::optional(std::string(target.data(), static_cast<std::size_t>(length)));
}

// The process the mount was found by is gone: another one of its namespace is found by trying one
// process of each, for the mount's id is the same in all the kernel.
Result<UniqueFd> open_through_any_process(const Mount& mount) {
    const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), ::closedir);
    if (!processes) {
        return fail_errno("list /proc");
    }
    std::set<std::string> tried{namespace_of("self").value_or("")};
    // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's readdir is safe on a stream of one's own
    while (const dirent* entry = ::readdir(processes.get())) {
        const std::string process = static_cast<const char*>(entry->d_name);
        if (process.front() < '0' || process.front() > '9' || tried.size() > kMaxNamespaces) {
            continue;
        }
        const auto id = namespace_of(process);
        if (!id || !tried.insert(*id).second) {
            continue;
        }
        if (auto root = open_through(process, mount)) {
            return root;
        }
    }
    return std::unexpected(stale("no process left in the namespace of " + printable(mount.point)));
}

bool is_one_of(const std::vector<FileSystemId>& ids, FileSystemId id) {
    return std::ranges::find(ids, id) != ids.end();
}

}  // namespace

Error stale(std::string context) {
    return {.code = {ESTALE, std::system_category()}, .context = std::move(context)};
}

Result<UniqueFd> open_mount_root(const Mount& mount) {
    if (!mount.other_namespace) {
        return verified(open_at(AT_FDCWD, mount.reach.c_str(), O_PATH), mount);
    }
    auto root = open_through(process_of(mount.reach), mount);
    return root ? std::move(root) : open_through_any_process(mount);
}

Result<UniqueFd> open_mount(const Mount& mount, const std::vector<FileSystemId>& ids) {
    const auto root = TRY(open_mount_root(mount));
    struct stat status{};
    if (::fstat(root.get(), &status) < 0) {
        return fail_errno("stat " + printable(mount.point));
    }
    // A single file can be a mount point; anything else but a folder might block or act when
    // opened.
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) {
        return fail(std::errc::not_a_directory, printable(mount.point));
    }
    auto opened = TRY(reopen(root.get(), O_RDONLY | O_NONBLOCK | O_NOCTTY));
    if (!is_one_of(ids, TRY(file_system_of(opened.get())))) {
        return std::unexpected(stale("another file system at " + printable(mount.point)));
    }
    return opened;
}

Result<FileSystemId> file_system_of(int fd) {
    struct statfs status{};
    if (::fstatfs(fd, &status) < 0) {
        return fail_errno("statfs");
    }
    std::array<std::uint32_t, 2> words{};
    static_assert(sizeof words == sizeof status.f_fsid);
    std::memcpy(words.data(), &status.f_fsid, sizeof words);
    return FileSystemId{.word0 = words[0], .word1 = words[1]};
}

Result<std::uint64_t> mount_id_of(int fd) {
    struct statx status{};
    constexpr int kFlags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    if (::statx(fd, "", kFlags, STATX_MNT_ID, &status) < 0) {
        return fail_errno("statx");
    }
    return status.stx_mnt_id;
}

Result<UniqueFd> open_by_handle(int mount, const FileHandle& handle) {
    constexpr std::size_t kRoom = sizeof(file_handle) + MAX_HANDLE_SZ;
    if (handle.bytes.size() > MAX_HANDLE_SZ) {
        return fail(std::errc::invalid_argument, "file handle");
    }
    alignas(file_handle) std::array<std::byte, kRoom> room{};
    auto* raw = reinterpret_cast<file_handle*>(room.data());
    raw->handle_bytes = static_cast<unsigned>(handle.bytes.size());
    raw->handle_type = handle.type;
    std::memcpy(room.data() + sizeof(file_handle), handle.bytes.data(), handle.bytes.size());
    const int fd = ::open_by_handle_at(mount, raw, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno("open by handle");
    }
    return UniqueFd{fd};
}

const MountSession::Opened* MountSession::open(const FileSystem& fs, const Mount& mount) {
    auto known = opened_.find(mount.id);
    if (known == opened_.end()) {
        Opened opened;
        if (auto root = open_mount(mount, fs.ids)) {
            opened.path = path_of(root->get()).value_or("");
            opened.root = std::move(*root);
        }
        known = opened_.try_emplace(mount.id, std::move(opened)).first;
    }
    return known->second.root ? &known->second : nullptr;
}

}  // namespace vigia::sensors
