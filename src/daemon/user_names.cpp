// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/user_names.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/files.h"

namespace vigia::daemon {
namespace {

constexpr const char* kAccounts = "/etc/passwd";
constexpr std::size_t kMostBytes = std::size_t{4} << 20U;
constexpr std::chrono::seconds kLook{1};

}  // namespace

void UserNames::read_again() {
    struct stat found{};
    if (::stat(kAccounts, &found) != 0 ||
        (found.st_mtim.tv_sec == modified_.tv_sec && found.st_mtim.tv_nsec == modified_.tv_nsec)) {
        return;
    }
    const auto text = read_file(kAccounts, kMostBytes);
    if (!text) {
        return;
    }
    modified_ = found.st_mtim;
    names_.clear();
    std::string_view rest(*text);
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto name = line.substr(0, line.find(':'));
        const auto password = line.find(':', name.size() + 1);
        unsigned uid = 0;
        if (password == std::string_view::npos) {
            continue;
        }
        const auto digits = line.substr(password + 1);
        if (std::from_chars(digits.data(), digits.data() + digits.size(), uid).ec == std::errc{}) {
            names_.emplace(uid, name);
        }
    }
}

void UserNames::look() {
    const auto now = Clock::boot();
    if (looked_at_ == BootTime{} || now - looked_at_ >= kLook) {
        looked_at_ = now;
        read_again();
    }
}

std::string UserNames::name_of(unsigned uid) {
    const std::scoped_lock lock(mutex_);
    look();
    const auto found = names_.find(uid);
    return found == names_.end() ? std::string{} : found->second;
}

std::optional<unsigned> UserNames::uid_of(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    look();
    for (const auto& [uid, known] : names_) {
        if (known == name) {
            return uid;
        }
    }
    return std::nullopt;
}

}  // namespace vigia::daemon
