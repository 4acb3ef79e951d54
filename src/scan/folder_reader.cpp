// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/folder_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace vigia::scan {
namespace {

// Size of the C library's own buffer: one system call for a folder of some hundred files.
constexpr std::size_t kBuffer = 32768;

// f_type of statfs(2) and linux/magic.h; those that the headers of 6.1 lack are named.
constexpr std::array<std::uint32_t, 23> kPseudo{
    0x9fa0,      // proc
    0x62656572,  // sysfs
    0x27e0eb,    // cgroup
    0x63677270,  // cgroup2
    0x1cd1,      // devpts
    0x64626720,  // debugfs
    0x74726163,  // tracefs
    0x73636673,  // securityfs
    0xcafe4a11,  // bpf
    0x6165676c,  // pstore
    0xde5e81e4,  // efivarfs
    0xf97cff8c,  // selinux
    0x43415d53,  // smack
    0x5a3c69f0,  // apparmorfs
    0x19800202,  // mqueue (ipc/mqueue.c)
    0x62656570,  // configfs (fs/configfs)
    0x42494e4d,  // binfmt_misc
    0x65735543,  // fusectl (fs/fuse/control.c)
    0x6e736673,  // nsfs
    0x958458f6,  // hugetlbfs
    0x67596969,  // rpc_pipefs (net/sunrpc)
    0x6e667364,  // nfsd (fs/nfsd/nfsctl.c)
    0x6c6f6f70,  // binderfs
};

// The layout of one record: linux/dirent.h, struct linux_dirent64.
constexpr std::size_t kOffsetAt = 8;
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kTypeAt = 18;
constexpr std::size_t kNameAt = 19;

template <typename T>
T value_at(const std::byte* record, std::size_t offset) {
    T value{};
    std::memcpy(&value, record + offset, sizeof value);
    return value;
}

Result<std::size_t> fill(int folder, std::vector<std::byte>& buffer) {
    long got = -1;
    do {
        got = ::syscall(SYS_getdents64, folder, buffer.data(), buffer.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return fail_errno("read");
    }
    return static_cast<std::size_t>(got);
}

}  // namespace

Result<EntryState> entry_state(int folder, const char* name) {
    constexpr unsigned kWanted =
        STATX_TYPE | STATX_MODE | STATX_SIZE | STATX_CTIME | STATX_INO | STATX_NLINK | STATX_MNT_ID;
    struct statx info{};
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
    if (::statx(folder, name, flags, kWanted, &info) < 0) {
        return fail_errno("stat");
    }
    return EntryState{
        .mode = info.stx_mode,
        .size = info.stx_size,
        .ctime_ns = std::int64_t{info.stx_ctime.tv_sec} * 1'000'000'000 + info.stx_ctime.tv_nsec,
        .inode = info.stx_ino,
        .device_major = info.stx_dev_major,
        .device_minor = info.stx_dev_minor,
        .links = info.stx_nlink,
        .mount = info.stx_mnt_id};
}

bool is_pseudo_file_system(int file) {
    struct statfs info{};
    return ::fstatfs(file, &info) == 0 &&
           std::ranges::find(kPseudo, static_cast<std::uint32_t>(info.f_type)) != kPseudo.end();
}

FolderReader::FolderReader() : buffer_(kBuffer) {}

Result<bool> FolderReader::read(int folder, const std::function<bool(const Entry&)>& visit) {
    while (true) {
        const std::size_t filled = TRY(fill(folder, buffer_));
        if (filled == 0) {
            return true;
        }
        std::size_t at = 0;
        while (at + kNameAt < filled) {
            const std::byte* record = buffer_.data() + at;
            const auto length = value_at<std::uint16_t>(record, kLengthAt);
            if (length <= kNameAt || length > filled - at) {
                return fail(std::errc::bad_message, "read");  // never seen of a sane kernel
            }
            at += length;
            const Entry entry{.name = reinterpret_cast<const char*>(record + kNameAt),
                              .type = value_at<std::uint8_t>(record, kTypeAt),
                              .next = value_at<std::int64_t>(record, kOffsetAt)};
            const std::string_view name(entry.name);
            if (name != "." && name != ".." && !visit(entry)) {
                return false;
            }
        }
    }
}

}  // namespace vigia::scan
