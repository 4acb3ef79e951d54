// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>

#include "base/files.h"
#include "base/text.h"

namespace vigia::host {
namespace {

// openat2 gives EAGAIN when a rename elsewhere disturbs ".."; the kernel's advice is to try again.
constexpr int kTries = 16;
constexpr std::size_t kChunk = 65'536;

bool same_folder(int folder, const struct stat& status) {
    struct stat other{};
    return ::fstat(folder, &other) == 0 && other.st_dev == status.st_dev &&
           other.st_ino == status.st_ino;
}

bool is_root_of_this_process(int folder) {
    struct stat status{};
    return ::stat("/", &status) == 0 && same_folder(folder, status);
}

// As much as there is, at most `limit` + 1 bytes, so that the caller sees whether it was more.
Result<std::string> read_at_most(int fd, std::size_t limit) {
    std::string content;
    const std::size_t wanted = limit + 1;
    while (content.size() < wanted) {
        const std::size_t before = content.size();
        const std::size_t step = std::min(kChunk, wanted - before);
        content.resize(before + step);
        ssize_t got = 0;
        do {
            got = ::read(fd, content.data() + before, step);
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            return fail_errno("read");
        }
        content.resize(before + static_cast<std::size_t>(got));
        if (got == 0) {
            break;
        }
    }
    return content;
}

Result<std::vector<std::string>> names_in(int folder, std::size_t limit) {
    auto own = TRY(open_at(folder, ".", O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
    if (!stream) {
        return fail_errno("read the folder");
    }
    (void)own.release();  // the stream's now
    std::vector<std::string> names;
    errno = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's readdir is safe on a stream of one's own
    while (const dirent* entry = ::readdir(stream.get())) {
        std::string name = static_cast<const char*>(entry->d_name);
        if (name == "." || name == "..") {
            continue;
        }
        if (names.size() == limit) {
            return fail(std::errc::file_too_large, fmt::format("more than {} entries", limit));
        }
        names.push_back(std::move(name));
        errno = 0;
    }
    if (errno != 0) {
        return fail_errno("read the folder");
    }
    std::ranges::sort(names);
    return names;
}

std::string named(std::string_view path) {
    return "/" + printable(path);
}

}  // namespace

Result<Root> Root::open(const std::filesystem::path& folder) {
    auto opened = TRY(open_at(AT_FDCWD, folder.c_str(), O_PATH | O_DIRECTORY), "examine");
    const bool live = is_root_of_this_process(opened.get());
    return Root(std::move(opened), folder.native(), live);
}

Result<UniqueFd> Root::open_path(std::string_view path, std::uint64_t flags) const {
    const std::string name(path.empty() ? std::string_view(".") : path);
    if (name.contains('\0')) {
        return fail(std::errc::invalid_argument, "open " + named(path));
    }
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    long fd = -1;
    for (int tries = 0; tries < kTries && fd < 0; ++tries) {
        fd = ::syscall(SYS_openat2, folder_.get(), name.c_str(), &how, sizeof how);
        if (fd < 0 && errno != EINTR && errno != EAGAIN) {
            break;
        }
    }
    if (fd < 0) {
        return fail_errno("open " + named(path));
    }
    return UniqueFd{static_cast<int>(fd)};
}

Result<UniqueFd> Root::open_file(std::string_view path) const {
    const auto object = TRY(open_path(path, O_PATH));
    struct stat status{};
    if (::fstat(object.get(), &status) < 0) {
        return fail_errno("stat " + named(path));
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(std::errc::invalid_argument, named(path) + " is not a regular file");
    }
    // The object itself, whatever has its name by now. O_NONBLOCK: a lease must not make us wait.
    return TRY(reopen(object.get(), O_RDONLY | O_NONBLOCK | O_NOCTTY), "open " + named(path));
}

Result<std::string> Root::read(std::string_view path, std::size_t limit) const {
    auto content = TRY(read_start(path, limit + 1));
    if (content.size() > limit) {
        return fail(std::errc::file_too_large,
                    fmt::format("{} has more than {} bytes", named(path), limit));
    }
    return content;
}

Result<std::string> Root::read_start(std::string_view path, std::size_t limit) const {
    const auto file = TRY(open_file(path));
    auto content = TRY(read_at_most(file.get(), limit), "read " + named(path));
    content.resize(std::min(content.size(), limit));
    return content;
}

Result<struct stat> Root::status(std::string_view path, bool follow) const {
    const auto object = TRY(open_path(path, O_PATH | (follow ? 0U : unsigned{O_NOFOLLOW})));
    struct stat status{};
    if (::fstat(object.get(), &status) < 0) {
        return fail_errno("stat " + named(path));
    }
    return status;
}

Result<bool> Root::exists(std::string_view path) const {
    const auto found = status(path);
    if (!found && !is_missing(found.error())) {
        return std::unexpected(found.error());
    }
    return found.has_value();
}

Result<std::vector<std::string>> Root::list(std::string_view path, std::size_t limit) const {
    const auto folder = TRY(open_path(path, O_RDONLY | O_DIRECTORY));
    return TRY(names_in(folder.get(), limit), "list " + named(path));
}

Result<std::vector<std::pair<std::string, std::string>>> Root::links(std::string_view path,
                                                                     std::size_t limit) const {
    const auto folder = TRY(open_path(path, O_RDONLY | O_DIRECTORY));
    std::vector<std::pair<std::string, std::string>> found;
    for (auto& name : TRY(names_in(folder.get(), limit), "list " + named(path))) {
        std::array<char, PATH_MAX> target{};
        const ssize_t length =
            ::readlinkat(folder.get(), name.c_str(), target.data(), target.size());
        if (length >= 0) {
            found.emplace_back(std::move(name),
                               std::string(target.data(), static_cast<std::size_t>(length)));
        }
    }
    return found;
}

Result<std::string> Root::link_target(std::string_view path) const {
    const auto link = TRY(open_path(path, O_PATH | O_NOFOLLOW));
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(link.get(), "", target.data(), target.size());
    if (length < 0) {
        return fail_errno("read link " + named(path));
    }
    return std::string(target.data(), static_cast<std::size_t>(length));
}

}  // namespace vigia::host
