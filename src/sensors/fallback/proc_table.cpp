// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fallback/proc_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <string>

#include "base/files.h"

namespace vigia::sensors {
namespace {

constexpr std::uint64_t kTick = 10'000'000;  // ns; USER_HZ is 100 wherever we run
constexpr std::size_t kMostStat = 4096;
constexpr std::size_t kMostStatus = 16384;
constexpr std::size_t kMostCommandLine = 1024;
constexpr std::size_t kMostPath = 4096;
constexpr unsigned kKernelThread = 0x00200000;  // PF_KTHREAD
constexpr std::string_view kDeleted = " (deleted)";

struct CloseFolder {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

using Folder = std::unique_ptr<DIR, CloseFolder>;

template <typename T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

std::string link_of(int folder, const char* name) {
    std::array<char, kMostPath> text{};
    const auto size = ::readlinkat(folder, name, text.data(), text.size());
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string{};
}

std::string text_of(int folder, const char* name, std::size_t most) {
    const auto file = open_at(folder, name, O_RDONLY);
    std::string text(most, '\0');
    const auto size = file ? ::read(file->get(), text.data(), text.size()) : -1;
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
}

// "Uid:\t1000\t1000\t1000\t1000"
void read_ids(std::string_view status, ProcessInfo& process) {
    const auto line = [&](std::string_view key, std::array<std::uint32_t, 3>& ids) {
        auto at = status.find(key);
        for (std::size_t i = 0; at != std::string_view::npos && i < ids.size(); ++i) {
            at = status.find('\t', at);
            if (at != std::string_view::npos) {
                ids.at(i) = number<std::uint32_t>(status.substr(++at)).value_or(0);
            }
        }
    };
    std::array<std::uint32_t, 3> users{};
    std::array<std::uint32_t, 3> groups{};
    line("\nUid:", users);
    line("\nGid:", groups);
    auto& credentials = process.credentials;
    credentials = {.uid = users[0],
                   .euid = users[1],
                   .suid = users[2],
                   .gid = groups[0],
                   .egid = groups[1],
                   .sgid = groups[2]};
    process.who.uid = users[0];
}

}  // namespace

std::optional<ProcStat> parse_stat(std::string_view text) {
    const auto open = text.find('(');
    const auto close = text.rfind(')');  // the name may hold anything
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
        return std::nullopt;
    }
    ProcStat stat{.comm = text.substr(open + 1, close - open - 1)};
    const auto pid = number<pid_t>(text);
    constexpr std::size_t kStart = 20;  // fields after the name; it is the 22nd of all
    std::array<std::string_view, kStart> fields{};
    auto rest = text.substr(close + 1);
    for (auto& field : fields) {
        const auto begin = rest.find_first_not_of(' ');
        if (begin == std::string_view::npos) {
            return std::nullopt;
        }
        rest.remove_prefix(begin);
        field = rest.substr(0, rest.find(' '));
        rest.remove_prefix(field.size());
    }
    const auto parent = number<pid_t>(fields[1]);
    const auto flags = number<std::uint64_t>(fields[6]);
    const auto start = number<std::uint64_t>(fields[19]);
    if (!pid || !parent || !flags || !start) {
        return std::nullopt;
    }
    stat.pid = *pid;
    stat.parent = *parent;
    stat.zombie = fields[0] == "Z" || fields[0] == "X";
    stat.kernel_thread = (*flags & kKernelThread) != 0;
    stat.start_ns = *start * kTick;
    return stat;
}

namespace {

// What tells one process from another; the rest is read from the folder.
struct Basics {
    UniqueFd folder;
    ProcessInfo process;
};

std::optional<Basics> read_basics(pid_t pid) {
    auto folder = open_at(AT_FDCWD, fmt::format("/proc/{}", pid).c_str(), O_PATH | O_DIRECTORY);
    if (!folder) {
        return std::nullopt;
    }
    const auto text = text_of(folder->get(), "stat", kMostStat);
    const auto stat = parse_stat(text);
    if (!stat || stat->zombie) {
        return std::nullopt;
    }
    ProcessInfo process{
        .who = {.key = {.pid = pid, .start_ns = stat->start_ns}, .comm = std::string(stat->comm)},
        .parent = {.pid = stat->parent},
        .path = link_of(folder->get(), "exe"),
        .kernel_thread = stat->kernel_thread};
    if (process.path.ends_with(kDeleted)) {
        process.unlinked = true;
        process.path.resize(process.path.size() - kDeleted.size());
    }
    read_ids(text_of(folder->get(), "status", kMostStatus), process);
    return Basics{.folder = *std::move(folder), .process = std::move(process)};
}

}  // namespace

std::optional<ProcessInfo> read_process(pid_t pid) {
    auto basics = read_basics(pid);
    if (!basics) {
        return std::nullopt;
    }
    const int folder = basics->folder.get();
    auto process = std::move(basics->process);
    process.memory_file = process.path.starts_with("/memfd:");
    struct stat program{};
    if (::fstatat(folder, "exe", &program, 0) == 0) {
        constexpr unsigned kMinorBits = 20;
        process.who.program = {
            .device = (std::uint64_t{major(program.st_dev)} << kMinorBits) | minor(program.st_dev),
            .inode = program.st_ino};
        process.file_mode = static_cast<std::uint16_t>(program.st_mode);
    }
    process.arguments = text_of(folder, "cmdline", kMostCommandLine);
    process.arguments_total = static_cast<std::uint32_t>(process.arguments.size());
    return process;
}

std::optional<Runner> read_runner(pid_t pid) {
    auto basics = read_basics(pid);
    if (!basics || basics->process.path.empty()) {
        return std::nullopt;
    }
    auto& process = basics->process;
    return Runner{.path = std::move(process.path),
                  .uid = process.who.uid,
                  .parent = process.parent.pid,
                  .start_ns = process.who.key.start_ns};
}

std::vector<pid_t> list_pids() {
    std::vector<pid_t> pids;
    const Folder folder(::opendir("/proc"));
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    for (const dirent* entry = nullptr; folder && (entry = ::readdir(folder.get())) != nullptr;) {
        const std::string_view name(entry->d_name);
        if (const auto pid = number<pid_t>(name); pid && *pid > 0) {
            pids.push_back(*pid);
        }
    }
    return pids;
}

std::vector<ProcessInfo> read_processes() {
    std::vector<ProcessInfo> processes;
    for (const auto pid : list_pids()) {
        if (auto process = read_process(pid)) {
            processes.push_back(*std::move(process));
        }
    }
    return processes;
}

std::map<std::uint64_t, pid_t> holders_of(std::set<std::uint64_t> wanted) {
    constexpr std::string_view kSocket = "socket:[";
    std::map<std::uint64_t, pid_t> holders;
    for (const auto pid : list_pids()) {
        if (wanted.empty()) {
            break;
        }
        const Folder folder(::opendir(fmt::format("/proc/{}/fd", pid).c_str()));
        const auto next = [&folder] {
            // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
            return folder ? ::readdir(folder.get()) : nullptr;
        };
        for (const dirent* entry = next(); entry != nullptr; entry = next()) {
            const auto target = link_of(::dirfd(folder.get()), entry->d_name);
            if (!target.starts_with(kSocket)) {
                continue;
            }
            const auto inode =
                number<std::uint64_t>(std::string_view(target).substr(kSocket.size()));
            if (inode && wanted.erase(*inode) > 0) {
                holders.emplace(*inode, pid);
            }
        }
    }
    return holders;
}

}  // namespace vigia::sensors
