// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "base/text.h"
#include "base/uuid.h"

namespace vigia {

Result<UniqueFd> open_at(int dir, const char* path, int flags, mode_t mode) {
    int fd = -1;
    do {
        fd = ::openat(dir, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return fail_errno(fmt::format("open {}", printable(path)));
    }
    return UniqueFd{fd};
}

Result<UniqueFd> open_beneath(int dir,
                              const char* path,
                              std::uint64_t flags,
                              std::uint64_t resolve) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = resolve;
    long fd = -1;
    do {
        fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0) {
        return fail_errno(fmt::format("open {}", printable(path)));
    }
    return UniqueFd{static_cast<int>(fd)};
}

Result<std::string> read_all(int fd, std::size_t limit) {
    std::string content;
    std::array<char, 65536> chunk{};
    while (true) {
        const ssize_t got = ::read(fd, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno("read");
        }
        if (got == 0) {
            return content;
        }
        if (content.size() + static_cast<std::size_t>(got) > limit) {
            return fail(std::errc::file_too_large, fmt::format("more than {} bytes", limit));
        }
        content.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
    const auto fd = TRY(open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK));
    return TRY(read_all(fd.get(), limit), "read " + printable(path.native()));
}

Result<> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return fail_errno("write");
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<> replace_file(const std::filesystem::path& path, std::string_view content, mode_t mode) {
    return replace_file(path, content, mode, std::nullopt, [] { return true; });
}

Result<> replace_file(const std::filesystem::path& path,
                      std::string_view content,
                      mode_t mode,
                      std::optional<FileOwner> owner,
                      const std::function<bool()>& go_on) {
    const auto folder =
        TRY(open_at(AT_FDCWD, path.parent_path().c_str(), O_RDONLY | O_DIRECTORY), "replace file");
    const std::string temporary = "." + path.filename().native() + "." + Uuid::random().text;
    const auto file = TRY(
        open_at(folder.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
    const auto finish = [&]() -> Result<> {
        TRY(write_all(file.get(), content));
        if (owner && ::fchown(file.get(), owner->uid, owner->gid) < 0) {
            return fail_errno("give it to its owner");
        }
        if (::fchmod(file.get(), mode) < 0 || ::fsync(file.get()) < 0) {
            return fail_errno("make durable");
        }
        if (!go_on()) {
            return fail(std::errc::device_or_resource_busy, "somebody else has changed it");
        }
        if (::renameat(folder.get(), temporary.c_str(), folder.get(), path.filename().c_str()) <
            0) {
            return fail_errno("rename");
        }
        // The rename itself is durable only once the folder is.
        return ::fsync(folder.get()) < 0 ? Result<>{fail_errno("fsync folder")} : Result<>{};
    };
    auto result = finish();
    if (!result) {
        ::unlinkat(folder.get(), temporary.c_str(), 0);
        return std::unexpected(
            std::move(result).error().within("write " + printable(path.native())));
    }
    return {};
}

Result<> ensure_folder(const std::filesystem::path& path, mode_t mode, uid_t uid, gid_t gid) {
    if (path.has_parent_path() && path.parent_path() != path) {
        std::error_code ignored;
        if (!std::filesystem::exists(path.parent_path(), ignored)) {
            TRY(ensure_folder(path.parent_path(), 0755));
        }
    }
    if (::mkdir(path.c_str(), 0700) < 0) {
        if (errno == EEXIST) {
            return {};
        }
        return fail_errno("make folder " + printable(path.native()));
    }
    const auto folder = TRY(open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const bool other_owner = uid != ::geteuid() || gid != ::getegid();
    if (other_owner && ::geteuid() == 0 && ::fchown(folder.get(), uid, gid) < 0) {
        return fail_errno("give folder " + printable(path.native()) + " to its owner");
    }
    if (::fchmod(folder.get(), mode) < 0) {
        return fail_errno("set mode of " + printable(path.native()));
    }
    return {};
}

Result<std::string> path_of(int fd) {
    std::array<char, PATH_MAX + 16> target{};
    const auto link = fmt::format("/proc/self/fd/{}", fd);
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    if (length < 0) {
        return fail_errno("readlink " + link);
    }
    return std::string(target.data(), static_cast<std::size_t>(length));
}

Result<UniqueFd> reopen(int fd, int flags) {
    return open_at(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd).c_str(), flags);
}

}  // namespace vigia
