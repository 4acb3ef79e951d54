// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/file_system_kind.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "base/files.h"

namespace vigia::sensors {
namespace {

constexpr auto kNotApplicable = std::to_array<std::string_view>(
    {"proc",      "sysfs",   "cgroup",     "cgroup2",     "cpuset",     "devpts",     "devtmpfs",
     "debugfs",   "tracefs", "securityfs", "bpf",         "mqueue",     "configfs",   "pstore",
     "efivarfs",  "autofs",  "nsfs",       "binfmt_misc", "rpc_pipefs", "hugetlbfs",  "fusectl",
     "selinuxfs", "smackfs", "resctrl",    "nfsd",        "binder",     "functionfs", "apparmorfs",
     "pidfs",     "sockfs",  "pipefs",     "xenfs",       "openpromfs", "usbfs",      "rootfs"});

constexpr auto kRemote = std::to_array<std::string_view>(
    {"fuse",   "fuseblk", "nfs",    "nfs4",   "cifs",  "smb3",   "smbfs",  "9p",
     "ceph",   "afs",     "lustre", "gfs2",   "ocfs2", "vboxsf", "vmhgfs", "virtiofs",
     "prl_fs", "coda",    "ncpfs",  "beegfs", "gpfs",  "pvfs2",  "davfs",  "glusterfs"});

// ctime, size and the lease probe tell the truth here (hard-parts 2).
constexpr auto kTruthful =
    std::to_array<std::string_view>({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs"});

// Of these the handles name the same inodes after a reboot.
constexpr auto kPersistent = std::to_array<std::string_view>({"ext4", "xfs", "btrfs", "f2fs"});

template <typename Table>
bool holds(const Table& table, std::string_view type) {
    return std::ranges::find(table, type) != table.end();
}

// btrfs has a device number of its own making; the disk is the source's.
dev_t disk_of(const Mount& mount) {
    struct stat source{};
    if (major(mount.device) == 0 && mount.source.starts_with('/') &&
        ::stat(mount.source.c_str(), &source) == 0 && S_ISBLK(source.st_mode)) {
        return source.st_rdev;
    }
    return mount.device;
}

bool is_fixed_disk(dev_t device) {
    constexpr std::size_t kShort = 64;
    std::error_code problem;
    auto folder = std::filesystem::canonical(
        fmt::format("/sys/dev/block/{}:{}", major(device), minor(device)), problem);
    if (problem) {
        return false;
    }
    if (std::filesystem::exists(folder / "partition", problem)) {
        folder = folder.parent_path();
    }
    const bool is_loop = std::filesystem::exists(folder / "loop", problem) ||
                         folder.filename().native().starts_with("loop");
    const auto removable = read_file(folder / "removable", kShort);
    return !is_loop && removable && removable->starts_with('0');
}

}  // namespace

Kind kind_of(std::string_view type) {
    if (type == "overlay") {
        return Kind::Overlay;
    }
    if (holds(kNotApplicable, type)) {
        return Kind::NotApplicable;
    }
    const auto family = type.substr(0, type.find('.'));  // "fuse.sshfs"
    return holds(kRemote, family) ? Kind::Remote : Kind::Local;
}

FileSensor::FileSystemTraits traits_of(const Mount& mount) {
    return {.truthful_identity = holds(kTruthful, mount.type),
            .persistent_identity = holds(kPersistent, mount.type) && is_fixed_disk(disk_of(mount)),
            .type = mount.type};
}

}  // namespace vigia::sensors
