// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/instance_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"

namespace vigia::daemon {

Result<InstanceLock> InstanceLock::acquire(const std::filesystem::path& pid_file) {
    constexpr std::size_t kPidText = 64;
    auto file = TRY(open_at(AT_FDCWD, pid_file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0644),
                    "instance lock");
    if (::flock(file.get(), LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) {
            return fail_errno("lock " + pid_file.native());
        }
        auto holder = read_all(file.get(), kPidText).value_or("unknown");
        while (holder.ends_with('\n')) {
            holder.pop_back();
        }
        return fail(std::errc::device_or_resource_busy,
                    fmt::format("another vigiad (pid {}) holds {}; stop it first or choose another "
                                "--prefix",
                                printable(holder),
                                pid_file.native()));
    }
    if (::ftruncate(file.get(), 0) < 0) {
        return fail_errno("write " + pid_file.native());
    }
    TRY(write_all(file.get(), fmt::format("{}\n", ::getpid())), "write pid file");
    return InstanceLock(std::move(file));
}

}  // namespace vigia::daemon
