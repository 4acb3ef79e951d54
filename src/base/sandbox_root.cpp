// SPDX-License-Identifier: GPL-2.0-or-later
// The empty root of a sandboxed child. Everything is mounted by descriptor: the folders of the host
// may lie where the child's user could never get to by name.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/sandbox.h"
#include "base/unique_fd.h"

namespace vigia::sandbox {
namespace {

constexpr mode_t kRootMode = 0755;
constexpr unsigned kInodesPerFolder = 65536;  // bounds what a child's leftovers cost to remove

// Detached copies of the folders' mounts, made while we are still in the host's mount namespace:
// the kernel refuses to copy mounts of a namespace that is not one's own.
Result<std::vector<UniqueFd>> copy_mounts(const std::vector<ReadOnlyFolder>& folders) {
    std::vector<UniqueFd> copies;
    for (const auto& folder : folders) {
        UniqueFd copy{::open_tree(
            folder.descriptor, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)};
        if (!copy) {
            return fail_errno("copy the mount of a folder");
        }
        mount_attr attributes{};
        attributes.attr_set =
            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        if (::mount_setattr(copy.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0) {
            return fail_errno("make a folder read-only");
        }
        copies.push_back(std::move(copy));
    }
    return copies;
}

Result<UniqueFd> make_root() {
    const UniqueFd context{::fsopen("tmpfs", FSOPEN_CLOEXEC)};
    if (!context) {
        return fail_errno("make the new root");
    }
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        ::fsconfig(context.get(), FSCONFIG_SET_STRING, "size", "1m", 0) < 0 ||
        ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
        return fail_errno("make the new root");
    }
    UniqueFd root{::fsmount(
        context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)};
    if (!root) {
        return fail_errno("mount the new root");
    }
    return root;
}

// Makes each folder of "a/b/c" below the working folder.
Result<> make_folders(const std::string& place) {
    for (auto slash = place.find('/');; slash = place.find('/', slash + 1)) {
        const std::string part = place.substr(0, slash);
        if (::mkdir(part.c_str(), kRootMode) < 0 && errno != EEXIST) {
            return fail_errno("make folder " + part);
        }
        if (slash == std::string::npos) {
            return {};
        }
    }
}

Result<> furnish(const EmptyRoot& root, const std::vector<UniqueFd>& copies) {
    for (std::size_t i = 0; i < copies.size(); ++i) {
        const auto& place = root.read_only[i].place;
        TRY(make_folders(place));
        if (::move_mount(copies[i].get(), "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH) <
            0) {
            return fail_errno("place " + place);
        }
    }
    for (const auto& folder : root.writable) {
        TRY(make_folders(folder.place));
        const auto options = fmt::format("size={},nr_inodes={},mode=0700,uid={},gid={}",
                                         folder.bytes,
                                         kInodesPerFolder,
                                         root.owner.uid,
                                         root.owner.gid);
        if (::mount("vigia",
                    folder.place.c_str(),
                    "tmpfs",
                    MS_NOSUID | MS_NODEV | MS_NOEXEC,
                    options.c_str()) < 0) {
            return fail_errno("mount " + folder.place);
        }
    }
    return {};
}

// The working folder becomes the root; the old root, which then lies on top of it, goes.
Result<> pivot() {
    if (::mount(nullptr,
                ".",
                nullptr,
                MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                nullptr) < 0) {
        return fail_errno("make the new root read-only");
    }
    if (::syscall(SYS_pivot_root, ".", ".") < 0) {
        return fail_errno("change the root");
    }
    if (::umount2(".", MNT_DETACH) < 0) {
        return fail_errno("leave the old root");
    }
    if (::chdir("/") < 0) {
        return fail_errno("enter the new root");
    }
    return {};
}

}  // namespace

Result<> enter_empty_root(const EmptyRoot& root) {
    const auto copies = TRY(copy_mounts(root.read_only));
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) {
        return fail_errno("make private namespaces");
    }
    // Otherwise what we mount would appear on the host as well.
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
        return fail_errno("make the mounts private");
    }
    const auto new_root = TRY(make_root());
    if (::move_mount(new_root.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        return fail_errno("place the new root");
    }
    if (::fchdir(new_root.get()) < 0) {
        return fail_errno("enter the new root");
    }
    TRY(furnish(root, copies));
    return pivot();
}

}  // namespace vigia::sandbox
