// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/source_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <expected>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "definitions/digest.h"

namespace vigia::definitions {
namespace {

// What libclamav 1.4 loads by the ending of its name (libclamav/others.h, CLI_DBEXT), but .ioc.
constexpr std::array<std::string_view, 40> kEndings{
    "cat",  "cbc", "cdb",  "cfg", "cld", "crb", "cud", "cvd", "db",   "db2",
    "db3",  "fp",  "ftm",  "gdb", "hdb", "hdu", "hsb", "hsu", "idb",  "ign",
    "ign2", "imp", "info", "ldb", "ldu", "mdb", "mdu", "msb", "msu",  "ndb",
    "ndu",  "pdb", "pwdb", "rmd", "sdb", "sfp", "wdb", "yar", "yara", "zmd"};

// Entries of a source folder that are looked at; a folder with more is no source of definitions.
constexpr std::size_t kMaxEntries = 100'000;

struct stat info_of(int fd) {
    struct stat info{};
    if (::fstat(fd, &info) < 0) {
        info.st_mode = 0;
    }
    return info;
}

bool same_content(const struct stat& before, const struct stat& after) {
    return before.st_size == after.st_size && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
           before.st_mtim.tv_nsec == after.st_mtim.tv_nsec &&
           before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
           before.st_ctim.tv_nsec == after.st_ctim.tv_nsec;
}

std::string_view kind_of(mode_t mode) {
    if (S_ISLNK(mode)) {
        return "a symbolic link";
    }
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a FIFO" : "not a plain file";
}

// Looked at by O_PATH first: opening a FIFO or a device can block or do something.
Result<UniqueFd> open_plain(int folder, const std::string& name) {
    const auto object = TRY(open_at(folder, name.c_str(), O_PATH | O_NOFOLLOW));
    const auto info = info_of(object.get());
    if (!S_ISREG(info.st_mode)) {
        return fail(std::errc::invalid_argument, "it is " + std::string(kind_of(info.st_mode)));
    }
    if (static_cast<std::uint64_t>(info.st_size) > kMaxFileBytes) {
        return fail(std::errc::file_too_large, fmt::format("{} bytes", info.st_size));
    }
    return reopen(object.get(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

bool wants_plain_copy(int error) {
    return error == EXDEV || error == EINVAL || error == EOPNOTSUPP || error == ENOSYS ||
           error == EPERM;
}

enum class Side : std::uint8_t { Source, Target };

struct CopyFailure {
    Side side = Side::Source;
    Error error;
};

std::unexpected<CopyFailure> copy_failed(Side side, std::string doing) {
    return std::unexpected(CopyFailure{
        .side = side,
        .error = {.code = {errno, std::system_category()}, .context = std::move(doing)}});
}

std::expected<void, CopyFailure> copy_by_hand(int from, int to) {
    std::vector<char> buffer(std::size_t{256} * 1024);
    std::uint64_t total = 0;
    while (true) {
        const ssize_t got = ::read(from, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return copy_failed(Side::Source, "read");
        }
        if (got == 0) {
            return {};
        }
        total += static_cast<std::uint64_t>(got);
        if (total > kMaxFileBytes) {
            errno = EFBIG;
            return copy_failed(Side::Source, "read");
        }
        if (auto written = write_all(to, {buffer.data(), static_cast<std::size_t>(got)});
            !written) {
            return std::unexpected(
                CopyFailure{.side = Side::Target, .error = std::move(written).error()});
        }
    }
}

// Shares the blocks where the file system can.
std::expected<void, CopyFailure> copy_content(int from, int to) {
    std::uint64_t total = 0;
    while (true) {
        const ssize_t copied =
            ::copy_file_range(from, nullptr, to, nullptr, std::size_t{1} << 30U, 0);
        if (copied < 0 && errno == EINTR) {
            continue;
        }
        if (copied < 0 && total == 0 && wants_plain_copy(errno)) {
            return copy_by_hand(from, to);
        }
        if (copied < 0) {
            const bool source = errno == EIO || errno == ESTALE;
            return copy_failed(source ? Side::Source : Side::Target, "copy");
        }
        if (copied == 0) {
            // Some special file systems report no bytes where read() has some.
            return total == 0 ? copy_by_hand(from, to) : std::expected<void, CopyFailure>{};
        }
        total += static_cast<std::uint64_t>(copied);
        if (total > kMaxFileBytes) {
            errno = EFBIG;
            return copy_failed(Side::Source, "copy");
        }
    }
}

// One try. True: the source was the same before and after.
std::expected<bool, CopyFailure> copy_once(int from, int target, const std::string& name) {
    ::unlinkat(target, name.c_str(), 0);
    const auto to = open_at(target, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (!to) {
        return std::unexpected(CopyFailure{.side = Side::Target, .error = to.error()});
    }
    const auto before = info_of(from);
    if (::lseek(from, 0, SEEK_SET) < 0) {
        return copy_failed(Side::Source, "rewind");
    }
    if (auto copied = copy_content(from, to->get()); !copied) {
        return std::unexpected(std::move(copied).error());
    }
    if (::fchmod(to->get(), 0644) < 0) {
        return copy_failed(Side::Target, "set the mode");
    }
    return same_content(before, info_of(from));
}

std::expected<bool, CopyFailure> copy_file(int folder,
                                           const std::string& name,
                                           int target,
                                           const std::string& target_name) {
    const auto from = open_plain(folder, name);
    if (!from) {
        return std::unexpected(CopyFailure{.error = from.error()});
    }
    auto copied = copy_once(from->get(), target, target_name);
    if (copied && !*copied) {
        copied = copy_once(from->get(), target, target_name);
    }
    if (!copied || !*copied) {
        ::unlinkat(target, target_name.c_str(), 0);
    }
    return copied;
}

// A name that is safe in log lines and in the engine's messages.
bool is_plain_name(std::string_view name) {
    return !name.starts_with('.') && name.size() <= 200 && printable(name) == name;
}

}  // namespace

bool is_definition_name(std::string_view name) {
    const auto dot = name.rfind('.');
    return dot != std::string_view::npos && dot > 0 &&
           std::ranges::find(kEndings, name.substr(dot + 1)) != kEndings.end();
}

Result<Taken> take_folder(const std::filesystem::path& source,
                          int target,
                          std::size_t most,
                          const NameFor& name_for) {
    Taken taken;
    const auto folder = open_at(AT_FDCWD, source.c_str(), O_RDONLY | O_DIRECTORY);
    const auto names = folder ? names_in(folder->get(), kMaxEntries)
                              : Result<std::vector<std::string>>{std::unexpected(folder.error())};
    if (!names) {
        taken.unreadable = names.error().message();
        return taken;
    }
    const auto leave_out = [&](const std::string& name, std::string_view why) {
        taken.problems.push_back(
            fmt::format("{}: left out: {}", printable((source / name).native()), why));
    };
    for (const auto& name : *names) {
        if (!is_definition_name(name)) {
            ++taken.ignored;
            continue;
        }
        if (!is_plain_name(name)) {
            leave_out(name, "its name is too long, hidden, or not printable");
            continue;
        }
        if (taken.files == most) {
            leave_out(name, fmt::format("and all after it: more than {} files in all", kMaxFiles));
            break;
        }
        auto copied = copy_file(folder->get(), name, target, name_for(name));
        if (!copied && copied.error().side == Side::Target) {
            return std::unexpected(std::move(copied).error().error);
        }
        if (!copied) {
            leave_out(name, copied.error().error.message());
        } else if (!*copied) {
            leave_out(name, "it changes while it is read");
        } else {
            ++taken.files;
        }
    }
    return taken;
}

}  // namespace vigia::definitions
