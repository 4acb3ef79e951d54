// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/file_state.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>

#include "scan/examiner.h"

namespace vigia::scan {
namespace {

// Two ticks of the slowest clock a kernel is built with (CONFIG_HZ=100): file times are the time of
// the last tick. Kernels with multigrain times (6.13) are finer; nothing is lost by waiting the
// same.
constexpr std::int64_t kSettledNs = 20'000'000;

constexpr std::uint32_t kXfs = 0x58465342;  // XFS_SUPER_MAGIC; linux/magic.h of 6.1 lacks it

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<FileState> state_of(int file) {
    struct stat info{};
    if (::fstat(file, &info) < 0) {
        return fail_errno("stat");
    }
    return FileState{.regular = S_ISREG(info.st_mode),
                     .size = static_cast<std::uint64_t>(info.st_size),
                     .ctime_ns = nanoseconds(info.st_ctim),
                     .mtime_ns = nanoseconds(info.st_mtim)};
}

bool is_settled(const FileState& state) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return nanoseconds(now) - state.ctime_ns > kSettledNs;
}

bool identity_is_truthful(int file) {
    constexpr std::array<std::uint32_t, 4> kTruthful{
        EXT4_SUPER_MAGIC, kXfs, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC};
    struct statfs info{};
    return ::fstatfs(file, &info) == 0 &&
           std::ranges::find(kTruthful, static_cast<std::uint32_t>(info.f_type)) != kTruthful.end();
}

bool has_no_writer(int file) {
    // Whoever breaks the lease in the microsecond it stands makes the kernel send us a signal.
    // SIGIO, the default, would end the process; SIGURG is ignored unless somebody asks for it.
    if (::fcntl(file, F_SETSIG, SIGURG) < 0 || ::fcntl(file, F_SETLEASE, F_RDLCK) < 0) {
        return false;
    }
    ::fcntl(file, F_SETLEASE, F_UNLCK);
    return true;
}

}  // namespace vigia::scan
