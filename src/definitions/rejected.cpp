// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/rejected.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "definitions/digest.h"

namespace vigia::definitions {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 64;    // of a digest, before the hyphen and the name
constexpr std::size_t kMostKept = 50;  // files; the oldest go
constexpr std::string_view kReason = ".reason";

std::optional<Sha256> content_of(std::string_view name) {
    return name.size() > kDigits && name[kDigits] == '-' && !name.ends_with(kReason)
               ? Sha256::parse(name.substr(0, kDigits))
               : std::nullopt;
}

void prune(const fs::path& folder) {
    std::vector<std::pair<fs::file_time_type, fs::path>> files;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        std::error_code ignored;
        if (content_of(at->path().filename().native())) {
            files.emplace_back(fs::last_write_time(at->path(), ignored), at->path());
        }
    }
    std::ranges::sort(files, std::ranges::greater{});
    for (std::size_t at = kMostKept; at < files.size(); ++at) {
        fs::remove(files[at].second, error);
        fs::remove(files[at].second.native() + std::string(kReason), error);
    }
}

}  // namespace

Result<fs::path> set_aside(const fs::path& state,
                           const std::string& generation,
                           const std::string& file,
                           const std::string& reason) {
    if (file.find('/') != std::string::npos || file.empty() || file.starts_with('.') ||
        generation.find('/') != std::string::npos || generation.empty()) {
        return fail(std::errc::invalid_argument, printable(file) + " is no definition file");
    }
    const auto from = state / "generations" / generation;
    const auto folder =
        TRY(open_at(AT_FDCWD, from.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), "set aside");
    const auto digest = TRY(digest_of_file(folder.get(), file), "set aside");
    auto target = state / "rejected" / (digest.hex() + "-" + file);
    TRY(replace_file(target.native() + std::string(kReason), reason + "\n", 0644), "set aside");
    if (::renameat(folder.get(), file.c_str(), AT_FDCWD, target.c_str()) < 0) {
        return fail_errno("move " + printable(file) + " to rejected");
    }
    // Used last now, for prune().
    ::utimensat(AT_FDCWD, target.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
    prune(state / "rejected");
    return target;
}

std::set<Sha256> rejected_contents(const fs::path& state) {
    std::set<Sha256> contents;
    std::error_code error;
    for (fs::directory_iterator at(state / "rejected", error), end; !error && at != end;
         at.increment(error)) {
        if (const auto digest = content_of(at->path().filename().native())) {
            contents.insert(*digest);
        }
    }
    return contents;
}

}  // namespace vigia::definitions
