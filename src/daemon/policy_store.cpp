// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/policy_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMaxPolicy = std::size_t{8} << 20U;
constexpr mode_t kModeOfCopy = 0600;
constexpr mode_t kPermissions = 07777;

PolicyPtr built_in() {
    auto parsed = policy::parse(policy::default_text(), "built-in default");
    auto values = parsed ? *parsed : std::make_shared<const Policy>();
    return std::make_shared<const PolicyInForce>(std::move(values), "built-in default");
}

// What was accepted last, if it is ours alone and still parses.
Result<PolicyPtr> last_good_copy(const std::filesystem::path& path) {
    const auto file = TRY(open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat info{};
    if (::fstat(file.get(), &info) < 0) {
        return fail_errno("stat " + printable(path.native()));
    }
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() ||
        (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail(std::errc::operation_not_permitted,
                    printable(path.native()) + " can be written by others");
    }
    const auto text = TRY(read_all(file.get(), kMaxPolicy));
    auto parsed = policy::parse(text, path.native());
    if (!parsed) {
        return fail(std::errc::invalid_argument, printable(path.native()) + " does not parse");
    }
    return std::make_shared<const PolicyInForce>(*parsed, "last good policy, " + path.native());
}

bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino &&
           one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
           one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

}  // namespace

PolicyStore::PolicyStore(std::filesystem::path file, std::filesystem::path last_good)
    : file_(std::move(file)), last_good_(std::move(last_good)), current_(built_in()) {}

PolicyStore::Reloaded PolicyStore::reload() {
    Reloaded result;
    const auto text = read_file(file_, kMaxPolicy);
    PolicyPtr next;
    if (!text && text.error().code == std::errc::no_such_file_or_directory) {
        next = built_in();
    } else if (!text) {
        result.problems.push_back(
            {.file = file_.native(), .key = {}, .message = text.error().message()});
    } else if (auto parsed = policy::parse(*text, file_.native())) {
        next = std::make_shared<const PolicyInForce>(*parsed, file_.native());
        // A disk that refuses the copy is another fault's business.
        if (const auto kept = replace_file(last_good_, *text, kModeOfCopy); !kept) {
            log::warning("last good policy not kept: " + kept.error().message());
        }
    } else {
        result.problems = std::move(parsed).error();
    }
    if (next) {
        accept(std::move(next), result);
    } else {
        stay(result);
    }
    return result;
}

Result<std::optional<policy::EditRefusal>> PolicyStore::edit(const Edit& edit) const {
    std::error_code missing;
    const auto real = std::filesystem::canonical(file_, missing);
    if (missing && missing != std::errc::no_such_file_or_directory) {
        return std::unexpected(Error{.code = missing, .context = printable(file_.native())});
    }
    if (missing) {
        auto changed = edit(policy::default_text());
        if (!changed) {
            return std::optional(std::move(changed).error());
        }
        TRY(ensure_folder(file_.parent_path(), 0755));
        TRY(replace_file(file_, *changed, 0644));
        return std::nullopt;
    }
    const auto file = TRY(open_at(AT_FDCWD, real.c_str(), O_RDONLY | O_NONBLOCK), "open policy");
    struct stat before{};
    if (::fstat(file.get(), &before) < 0) {
        return fail_errno("stat " + printable(real.native()));
    }
    auto changed = edit(TRY(read_all(file.get(), kMaxPolicy), "read policy"));
    if (!changed) {
        return std::optional(std::move(changed).error());
    }
    TRY(replace_file(real,
                     *changed,
                     before.st_mode & kPermissions,
                     FileOwner{.uid = before.st_uid, .gid = before.st_gid},
                     [&] {
                         struct stat now{};
                         return ::lstat(real.c_str(), &now) == 0 && same_file(before, now);
                     }));
    return std::nullopt;
}

void PolicyStore::accept(PolicyPtr next, Reloaded& result) {
    const std::scoped_lock lock(mutex_);
    problems_.clear();
    result.valid = true;
    result.differences = policy::difference(*current_->policy, *next->policy);
    current_ = std::move(next);
    accepted_ = true;
}

// The built-in default watches everything: at a start it is the last resort.
void PolicyStore::stay(Reloaded& result) {
    const auto copy = last_good_copy(last_good_);
    const std::scoped_lock lock(mutex_);
    problems_ = result.problems;
    if (!accepted_ && copy) {
        current_ = *copy;
        accepted_ = true;
    }
    const auto& policy = *current_->policy;
    result.in_force =
        accepted_
            ? fmt::format("the last good policy stays in force: {}, serial {}, {}",
                          printable(policy.name),
                          policy.serial,
                          printable(current_->source))
            : fmt::format("there is no last good policy ({}); the built-in default is in force",
                          copy.error().message());
}

PolicyPtr PolicyStore::current() const {
    const std::scoped_lock lock(mutex_);
    return current_;
}

std::vector<policy::Problem> PolicyStore::problems() const {
    const std::scoped_lock lock(mutex_);
    return problems_;
}

}  // namespace vigia::daemon
