// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/process_facts.h"

#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/files.h"

namespace vigia::scan::detail {
namespace {

constexpr std::size_t kMostText = 16384;

// The first number after `key` at the start of a line.
template <typename Number>
std::optional<Number> number_after(std::string_view text, std::string_view key) {
    const auto at = text.starts_with(key) ? 0 : text.find('\n' + std::string(key));
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(text.find(key, at) + key.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    return number;
}

}  // namespace

Result<std::optional<pid_t>> pid_behind(int pidfd) {
    const auto text = read_file(fmt::format("/proc/self/fdinfo/{}", pidfd), kMostText);
    const auto pid = text ? number_after<pid_t>(*text, "Pid:") : std::nullopt;
    if (!pid) {
        return fail(std::errc::invalid_argument, "examine pidfd: it is none");
    }
    if (*pid < 0) {
        return std::nullopt;
    }
    if (*pid == 0) {
        return fail(std::errc::invalid_argument, "examine pidfd: outside our pid namespace");
    }
    return *pid;
}

Result<pid_t> parent_of(pid_t pid) {
    const auto stat = read_file(fmt::format("/proc/{}/stat", pid), kMostText);
    const std::string_view text = stat ? std::string_view(*stat) : std::string_view();
    // "pid (name) state ppid …"; the name may hold anything, so count from its last parenthesis.
    const auto name_end = text.rfind(") ");
    constexpr std::size_t kStateWidth = 4;  // ") S "
    if (name_end == std::string_view::npos || name_end + kStateWidth >= text.size()) {
        return fail(std::errc::bad_message, "find parent: no or odd /proc/PID/stat");
    }
    const char* const begin = text.data() + name_end + kStateWidth;
    pid_t parent = 0;
    if (std::from_chars(begin, text.data() + text.size(), parent).ec != std::errc{}) {
        return fail(std::errc::bad_message, "find parent: no or odd /proc/PID/stat");
    }
    return parent;
}

Result<uid_t> effective_user_of(pid_t pid) {
    const auto status = read_file(fmt::format("/proc/{}/status", pid), kMostText);
    const std::string_view text = status ? std::string_view(*status) : std::string_view();
    // "Uid:  real  effective  saved  file system"
    const auto line = text.find("\nUid:\t");
    const auto second = line == std::string_view::npos ? line : text.find('\t', line + 6);
    uid_t uid = 0;
    if (second == std::string_view::npos ||
        std::from_chars(text.data() + second + 1, text.data() + text.size(), uid).ec !=
            std::errc{}) {
        return fail(std::errc::bad_message, "find user: no or odd /proc/PID/status");
    }
    return uid;
}

std::uint64_t peak_memory_of(pid_t pid) {
    constexpr std::uint64_t kUnit = 1024;  // "VmHWM:  1234 kB"
    const auto status = read_file(fmt::format("/proc/{}/status", pid), kMostText);
    return status ? number_after<std::uint64_t>(*status, "VmHWM:").value_or(0) * kUnit : 0;
}

std::string user_name(uid_t uid) {
    constexpr std::size_t kRoom = 16384;
    std::vector<char> room(kRoom);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, room.data(), room.size(), &found) == 0 && found != nullptr) {
        return found->pw_name;
    }
    return std::to_string(uid);
}

bool has_ended(int pidfd, std::chrono::milliseconds timeout) noexcept {
    pollfd poll_fd{.fd = pidfd, .events = POLLIN, .revents = 0};
    return ::poll(&poll_fd, 1, static_cast<int>(timeout.count())) > 0;
}

void kill_by(int pidfd) noexcept {
    ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
}

}  // namespace vigia::scan::detail
