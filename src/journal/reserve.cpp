// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace vigia::journal {
namespace {

constexpr std::uint64_t kStatBlock = 512;  // unit of st_blocks, stat(2)

}  // namespace

Reserve::Reserve(std::filesystem::path file, std::uint64_t bytes)
    : file_(std::move(file)), bytes_(bytes) {
    struct stat found{};
    ready_ = bytes_ > 0 && ::lstat(file_.c_str(), &found) == 0 && S_ISREG(found.st_mode) &&
             static_cast<std::uint64_t>(found.st_blocks) * kStatBlock >= bytes_;
}

Result<> Reserve::prepare() {
    if (ready_ || bytes_ == 0) {
        return {};
    }
    const auto doing = "reserve " + printable(file_.native());
    struct statvfs space{};
    if (::statvfs(file_.parent_path().c_str(), &space) < 0) {
        return fail_errno(doing);
    }
    if (static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize < 2 * bytes_) {
        return fail(std::errc::no_space_on_device, doing);
    }
    const auto file = TRY(open_at(AT_FDCWD, file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes_)); code != 0) {
        ::unlink(file_.c_str());
        return fail(static_cast<std::errc>(code), doing);
    }
    ready_ = true;
    return {};
}

void Reserve::release() noexcept {
    ::unlink(file_.c_str());
    ready_ = false;
}

}  // namespace vigia::journal
