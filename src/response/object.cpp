// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/object.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "wire/digest.h"

namespace vigia::response {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} * 1024;

struct CloseDir {
    void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

using DirPtr = std::unique_ptr<DIR, CloseDir>;

// Whoever opens the file while we hold the lease makes the kernel signal us. Its default, SIGIO,
// would end the process; SIGURG is ignored unless somebody asks for it.
bool ask_lease(int fd, int kind) noexcept {
    if (::fcntl(fd, F_SETSIG, SIGURG) < 0 || ::fcntl(fd, F_SETLEASE, kind) < 0) {
        return false;
    }
    ::fcntl(fd, F_SETLEASE, F_UNLCK);
    return true;
}

bool leases_lie_on(int fd) noexcept {
    struct statfs info{};
    // Overlay: measured (hard-parts 2).
    return ::fstatfs(fd, &info) < 0 || info.f_type == OVERLAYFS_SUPER_MAGIC;
}

bool process_holds(const std::string& descriptors, const struct stat& object) {
    const DirPtr dir(::opendir(descriptors.c_str()));
    if (!dir) {
        return false;
    }
    while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): own DIR
        struct stat found{};
        if (entry->d_name[0] != '.' &&
            ::fstatat(::dirfd(dir.get()), entry->d_name, &found, 0) == 0 &&
            is_same_object(found, object)) {
            return true;
        }
    }
    return false;
}

std::string name_of_process(const std::string& pid) {
    const auto name = read_file("/proc/" + pid + "/comm", 64);
    return name ? printable(std::string_view(*name).substr(0, name->find('\n'))) : "?";
}

// A process other than ours that has the object among its descriptors.
std::optional<std::string> find_holder(const struct stat& object, std::chrono::milliseconds bound) {
    const auto deadline = Clock::boot() + bound;
    const auto own = std::to_string(::getpid());
    const DirPtr proc(::opendir("/proc"));
    if (!proc) {
        return std::nullopt;
    }
    while (const dirent* entry = ::readdir(proc.get())) {  // NOLINT(concurrency-mt-unsafe): own DIR
        const std::string pid = static_cast<const char*>(entry->d_name);
        if (Clock::boot() > deadline) {
            return std::nullopt;
        }
        if (pid[0] < '0' || pid[0] > '9' || pid == own) {
            continue;
        }
        if (process_holds("/proc/" + pid + "/fd", object)) {
            return fmt::format("process {} ({})", pid, name_of_process(pid));
        }
    }
    return std::nullopt;
}

}  // namespace

Result<struct stat> stat_of(int fd) {
    struct stat info{};
    if (::fstat(fd, &info) < 0) {
        return fail_errno("stat");
    }
    return info;
}

bool is_same_object(const struct stat& one, const struct stat& other) noexcept {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::int64_t nanoseconds(const timespec& time) noexcept {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Result<FileSystemId> file_system_of(int fd) {
    struct statfs info{};
    if (::fstatfs(fd, &info) < 0) {
        return fail_errno("statfs");
    }
    std::array<std::uint32_t, 2> words{};
    static_assert(sizeof words == sizeof info.f_fsid);
    std::memcpy(words.data(), &info.f_fsid, sizeof words);
    return FileSystemId{.word0 = words[0], .word1 = words[1]};
}

Result<FileHandle> handle_of(int fd) {
    alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> buffer{};
    auto* handle = reinterpret_cast<file_handle*>(buffer.data());
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    if (::name_to_handle_at(fd, "", handle, &mount, AT_EMPTY_PATH) < 0) {
        return fail_errno("name_to_handle_at");
    }
    return FileHandle{.type = handle->handle_type,
                      .bytes = std::string(buffer.data() + offsetof(file_handle, f_handle),
                                           handle->handle_bytes)};
}

Result<FileIdentity> identity_of(int fd) {
    const auto info = TRY(stat_of(fd));
    FileIdentity identity{.object = {.fs = TRY(file_system_of(fd)), .handle = {}},
                          .size = static_cast<std::uint64_t>(info.st_size),
                          .ctime_ns = nanoseconds(info.st_ctim)};
    if (auto handle = handle_of(fd)) {
        identity.object.handle = *std::move(handle);
    }
    return identity;
}

bool is_protected_by_flags(int fd) noexcept {
    int flags = 0;
    return ::ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
           (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0;
}

bool is_on_read_only_mount(int fd) noexcept {
    struct statvfs info{};
    return ::fstatvfs(fd, &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

Result<Sha256> content_digest(int fd, std::uint64_t size) {
    auto digest = TRY(wire::Digest::create());
    std::vector<std::byte> buffer(kReadSize);
    std::uint64_t at = 0;
    while (at < size) {
        const auto want = std::min<std::uint64_t>(buffer.size(), size - at);
        const ssize_t got = ::pread(fd, buffer.data(), want, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno("read");
        }
        if (got == 0) {
            break;
        }
        TRY(digest.update(std::span(buffer).first(static_cast<std::size_t>(got))));
        at += static_cast<std::uint64_t>(got);
    }
    return digest.finish();
}

Holders writers_of(int fd) {
    if (leases_lie_on(fd)) {
        return Holders::Unknown;
    }
    // A description of our own: the one given may be shared with threads that ask for leases too.
    const auto own = reopen(fd, O_RDONLY | O_NONBLOCK);
    if (!own) {
        return Holders::Unknown;
    }
    if (ask_lease(own->get(), F_RDLCK)) {
        return Holders::None;
    }
    return errno == EAGAIN ? Holders::Some : Holders::Unknown;
}

std::optional<std::string> held_open_by(int fd, std::chrono::milliseconds bound) {
    // A write lease is given only if this description is the only one there is.
    const bool asked = !leases_lie_on(fd);
    if (asked && ask_lease(fd, F_WRLCK)) {
        return std::nullopt;
    }
    const bool refused = asked && errno == EAGAIN;
    const auto info = stat_of(fd);
    const auto holder = info ? find_holder(*info, bound) : std::nullopt;
    if (holder) {
        return *holder + " still has it open";
    }
    return refused ? std::optional<std::string>("a process still has it open") : std::nullopt;
}

}  // namespace vigia::response
