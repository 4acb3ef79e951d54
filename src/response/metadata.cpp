// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/metadata.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "response/object.h"

namespace vigia::response {
namespace {

constexpr std::int64_t kBillion = 1'000'000'000;

// XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h.
constexpr std::size_t kMaxAttribute = 65536;

std::vector<std::string> attribute_names(int fd) {
    std::string list(kMaxAttribute, '\0');
    const ssize_t size = ::flistxattr(fd, list.data(), list.size());
    list.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    std::vector<std::string> names;
    for (std::size_t at = 0; at < list.size();) {
        names.emplace_back(list.c_str() + at);
        at += names.back().size() + 1;
    }
    // What decides about rights comes first, so that an attacker's many user.* cannot push it out.
    std::ranges::partition(names, [](std::string_view name) { return !name.starts_with("user."); });
    return names;
}

Result<bool> read_attributes(int fd, QuarantineItem& item) {
    std::string value(kMaxAttribute, '\0');
    std::size_t total = 0;
    for (auto& name : attribute_names(fd)) {
        const ssize_t size = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
        if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) {
            continue;  // gone since the list was made
        }
        if (size < 0) {
            return fail_errno("read extended attribute " + printable(name));
        }
        total += name.size() + static_cast<std::size_t>(size);
        if (total > kMaxAttributeBytes) {
            return false;
        }
        item.xattrs.emplace_back(std::move(name), value.substr(0, static_cast<std::size_t>(size)));
    }
    return true;
}

bool is_left_to_security_modules(std::string_view name) {
    return name == "security.selinux" || name == "security.ima" || name == "security.evm" ||
           name.starts_with("security.SMACK64");
}

timespec to_timespec(std::int64_t time) {
    // Times before 1970 have a negative second and a positive rest.
    const std::int64_t rest = (time % kBillion + kBillion) % kBillion;
    return {.tv_sec = (time - rest) / kBillion, .tv_nsec = rest};
}

}  // namespace

Result<bool> describe(int fd, QuarantineItem& item) {
    const auto info = TRY(stat_of(fd));
    item.size = static_cast<std::uint64_t>(info.st_size);
    item.mode = info.st_mode;
    item.uid = info.st_uid;
    item.gid = info.st_gid;
    item.atime_ns = nanoseconds(info.st_atim);
    item.mtime_ns = nanoseconds(info.st_mtim);
    item.inode = info.st_ino;
    item.links = info.st_nlink;
    const auto file_system = TRY(file_system_of(fd));
    item.fs0 = file_system.word0;
    item.fs1 = file_system.word1;
    if (auto handle = handle_of(fd)) {
        item.object_handle_type = handle->type;
        item.object_handle = std::move(handle->bytes);
    }
    return read_attributes(fd, item);
}

Result<> apply(int fd, const QuarantineItem& item) {
    // Owner first: a change of owner takes setuid bits and file capabilities away.
    if (::fchown(fd, item.uid, item.gid) < 0) {
        return fail_errno(fmt::format("give it to user {} and group {}", item.uid, item.gid));
    }
    for (const auto& [name, value] : item.xattrs) {
        if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) < 0 &&
            !is_left_to_security_modules(name)) {
            return fail_errno("set extended attribute " + printable(name));
        }
    }
    if (::fchmod(fd, item.mode & 07777U) < 0) {
        return fail_errno(fmt::format("set mode {:04o}", item.mode & 07777U));
    }
    const std::array<timespec, 2> times{to_timespec(item.atime_ns), to_timespec(item.mtime_ns)};
    if (::futimens(fd, times.data()) < 0) {
        return fail_errno("set its times");
    }
    return {};
}

}  // namespace vigia::response
