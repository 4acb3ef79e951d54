// SPDX-License-Identifier: GPL-2.0-or-later
#ifdef VIGIA_TEST_HOOKS

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>

#include "base/escape_proof.h"
#include "base/unique_fd.h"

namespace vigia::escape {
namespace {

// Newer than the headers of the build machine.
constexpr long kFchmodat2 = 452;
constexpr long kSetxattrat = 463;

bool opens(const std::string& path, int flags) {
    return static_cast<bool>(UniqueFd{::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0600)});
}

// What came to be is an escape, and is removed.
bool creates(const char* path) {
    if (!opens(path, O_WRONLY | O_CREAT | O_EXCL)) {
        return false;
    }
    ::unlink(path);
    return true;
}

std::string link_of(const Target& target) {
    return "/proc/self/fd/" + std::to_string(target.file);
}

bool controls(int file, int command, long value) {
    return ::fcntl(file, command, value) >= 0;
}

bool locks(int file, int command) {
    struct flock range{};
    range.l_type = F_RDLCK;
    return ::fcntl(file, command, &range) >= 0;
}

bool maps(const Target& target, int protection, int flags) {
    void* memory = ::mmap(nullptr, 1, protection, flags, target.file, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    ::munmap(memory, 1);
    return true;
}

// A folder of another worker.
bool opens_a_neighbour(const Target& target) {
    for (int slot = 0; slot < 4; ++slot) {
        const std::string folder = "/tmp/" + std::to_string(slot);
        if (folder != target.own_folder && opens(folder, O_RDONLY | O_DIRECTORY)) {
            return true;
        }
    }
    return false;
}

std::string own(const Target& target, const char* name) {
    return std::string(target.own_folder) + "/" + name;
}

constexpr auto kAttempts = std::to_array<Attempt>({
    {"open_passwd", [](auto&) { return opens("/etc/passwd", O_RDONLY); }},
    {"open_passwd_upwards", [](auto&) { return opens("../../../../../../etc/passwd", O_RDONLY); }},
    {"open_shadow", [](auto&) { return opens("/etc/shadow", O_RDONLY); }},
    {"open_host_folder", [](auto&) { return opens("/usr", O_RDONLY | O_DIRECTORY); }},
    {"open_device", [](auto&) { return opens("/dev/kmsg", O_RDWR); }},
    {"open_proc_of_parent",
     [](auto&) { return opens("/proc/" + std::to_string(::getppid()) + "/mem", O_RDWR); }},
    {"create_in_root", [](auto&) { return creates("/vigia-escape"); }},
    {"create_in_tmp", [](auto&) { return creates("/tmp/vigia-escape"); }},
    {"create_in_definitions", [](auto&) { return creates("/definitions/0/vigia-escape.ndb"); }},
    {"open_neighbour", opens_a_neighbour},
    {"make_device",
     [](auto& t) { return ::mknod(own(t, "zero").c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0; }},
    {"make_fifo", [](auto& t) { return ::mkfifo(own(t, "fifo").c_str(), 0600) == 0; }},
    {"make_symlink", [](auto& t) { return ::symlink("/etc/passwd", own(t, "s").c_str()) == 0; }},
    {"make_link",
     [](auto& t) {
         return ::linkat(t.file, "", AT_FDCWD, own(t, "l").c_str(), AT_EMPTY_PATH) == 0;
     }},
    {"reopen_for_writing", [](auto& t) { return opens(link_of(t), O_RDWR); }},
    {"reopen_for_reading", [](auto& t) { return opens(link_of(t), O_RDONLY); }},
    {"reopen_by_dev_fd",
     [](auto& t) { return opens("/dev/fd/" + std::to_string(t.file), O_RDWR); }},
    {"open_by_handle",
     [](auto& t) {
         alignas(file_handle) std::array<std::byte, sizeof(file_handle) + MAX_HANDLE_SZ> space{};
         auto* handle = reinterpret_cast<file_handle*>(space.data());
         handle->handle_bytes = MAX_HANDLE_SZ;
         int mount = 0;
         return ::name_to_handle_at(t.file, "", handle, &mount, AT_EMPTY_PATH) == 0;
     }},
    {"write", [](auto& t) { return ::write(t.file, "x", 1) == 1; }},
    {"pwrite", [](auto& t) { return ::pwrite(t.file, "x", 1, 0) == 1; }},
    {"truncate", [](auto& t) { return ::ftruncate(t.file, 0) == 0; }},
    {"fallocate", [](auto& t) { return ::fallocate(t.file, 0, 0, 1 << 20) == 0; }},
    {"map_for_writing", [](auto& t) { return maps(t, PROT_READ | PROT_WRITE, MAP_SHARED); }},
    {"map_for_executing", [](auto& t) { return maps(t, PROT_READ | PROT_EXEC, MAP_PRIVATE); }},
    {"fchmod", [](auto& t) { return ::fchmod(t.file, 04777) == 0; }},
    {"chmod_by_link", [](auto& t) { return ::chmod(link_of(t).c_str(), 04777) == 0; }},
    {"fchmodat2",
     [](auto& t) { return ::syscall(kFchmodat2, t.file, "", 04777, AT_EMPTY_PATH) == 0; }},
    {"fchown", [](auto& t) { return ::fchown(t.file, ::getuid(), ::getgid()) == 0; }},
    {"fchownat",
     [](auto& t) { return ::fchownat(t.file, "", ::getuid(), ::getgid(), AT_EMPTY_PATH) == 0; }},
    {"futimens", [](auto& t) { return ::futimens(t.file, nullptr) == 0; }},
    {"utimensat",
     [](auto& t) { return ::syscall(SYS_utimensat, t.file, "", nullptr, AT_EMPTY_PATH) == 0; }},
    {"fsetxattr", [](auto& t) { return ::fsetxattr(t.file, "user.vigia-proof", "x", 1, 0) == 0; }},
    {"fsetxattr_capability",
     [](auto& t) { return ::fsetxattr(t.file, "security.capability", "x", 1, 0) == 0; }},
    {"setxattr_by_link",
     [](auto& t) { return ::setxattr(link_of(t).c_str(), "user.vigia-proof", "x", 1, 0) == 0; }},
    {"setxattrat",
     [](auto& t) {
         const struct {
             const void* value;
             unsigned size;
             unsigned flags;
         } arguments{"x", 1, 0};
         return ::syscall(kSetxattrat,
                          t.file,
                          "",
                          AT_EMPTY_PATH,
                          "user.vigia-proof",
                          &arguments,
                          sizeof arguments) == 0;
     }},
    {"fremovexattr", [](auto& t) { return ::fremovexattr(t.file, "user.vigia-proof") == 0; }},
    {"ioctl_get_flags",
     [](auto& t) {
         int flags = 0;
         return ::ioctl(t.file, FS_IOC_GETFLAGS, &flags) == 0;
     }},
    {"ioctl_close_on_exec", [](auto& t) { return ::ioctl(t.file, FIOCLEX) == 0; }},
    {"lease", [](auto& t) { return controls(t.file, F_SETLEASE, F_RDLCK); }},
    {"lock", [](auto& t) { return locks(t.file, F_SETLK); }},
    {"lock_description", [](auto& t) { return locks(t.file, F_OFD_SETLK); }},
    {"flock", [](auto& t) { return ::flock(t.file, LOCK_SH | LOCK_NB) == 0; }},
    {"set_flags_of_description", [](auto& t) { return controls(t.file, F_SETFL, O_NONBLOCK); }},
    {"set_owner_of_signals", [](auto& t) { return controls(t.socket, F_SETOWN, ::getppid()); }},
    {"set_signal", [](auto& t) { return controls(t.socket, F_SETSIG, 9); }},
    {"change_root", [](auto&) { return ::chroot(".") == 0; }},
    {"rename_outwards",
     [](auto& t) { return ::rename(std::string(t.own_folder).c_str(), "/tmp/moved") == 0; }},
});

}  // namespace

std::span<const Attempt> attempts_on_files() {
    return kAttempts;
}

}  // namespace vigia::escape

#endif
