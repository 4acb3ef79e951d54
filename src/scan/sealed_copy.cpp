// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/sealed_copy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/files.h"

namespace vigia::scan {
namespace {

constexpr unsigned kNoexecSeal = 0x0008U;  // MFD_NOEXEC_SEAL, linux/memfd.h since 6.3
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

Result<UniqueFd> make_memfd() {
    constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = ::memfd_create("vigia-scan", kFlags | kNoexecSeal);
    if (fd < 0 && errno == EINVAL) {
        fd = ::memfd_create("vigia-scan", kFlags);
    }
    if (fd < 0) {
        return fail_errno("memfd_create");
    }
    return UniqueFd{fd};
}

// Less than asked for means the end of the file.
Result<std::size_t> read_at(int file, std::span<char> into, std::uint64_t offset) {
    std::size_t filled = 0;
    while (filled < into.size()) {
        const ssize_t got = ::pread(
            file, into.data() + filled, into.size() - filled, static_cast<off_t>(offset + filled));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno("read");
        }
        if (got == 0) {
            break;
        }
        filled += static_cast<std::size_t>(got);
    }
    return filled;
}

}  // namespace

Result<std::optional<SealedCopy>> copy_sealed(int file, std::uint64_t limit) {
    SealedCopy copy{.file = TRY(make_memfd())};
    std::array<char, 65536>
        chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    std::size_t got = chunk.size();
    while (got == chunk.size()) {
        got = TRY(read_at(file, chunk, copy.size));
        copy.size += got;
        if (copy.size > limit) {
            return std::nullopt;
        }
        TRY(write_all(copy.file.get(), std::string_view(chunk.data(), got)), "copy");
    }
    if (::fcntl(copy.file.get(), F_ADD_SEALS, kSeals) < 0) {
        return fail_errno("seal");
    }
    return copy;
}

}  // namespace vigia::scan
