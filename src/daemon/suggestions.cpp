// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/suggestions.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "base/text.h"

namespace vigia::daemon {
namespace {

constexpr double kLeastShare = 0.01;
constexpr double kMostOfIt = 0.8;       // of what a program writes: then a folder stands for it
constexpr std::size_t kLeastDepth = 2;  // /srv alone is nobody's folder

constexpr std::array<std::string_view, 16> kShells{"sh",
                                                   "bash",
                                                   "dash",
                                                   "zsh",
                                                   "ksh",
                                                   "ksh93",
                                                   "mksh",
                                                   "fish",
                                                   "csh",
                                                   "tcsh",
                                                   "ash",
                                                   "rbash",
                                                   "sudo",
                                                   "busybox",
                                                   "su",
                                                   "env"};
constexpr std::array<std::string_view, 24> kInterpreters{
    "python", "pypy",   "perl",  "ruby", "node",    "nodejs", "php",       "php-fpm",
    "lua",    "luajit", "tclsh", "wish", "expect",  "java",   "mono",      "dotnet",
    "guile",  "awk",    "gawk",  "mawk", "Rscript", "julia",  "osascript", "pwsh"};
constexpr std::array<std::string_view, 25> kPackageManagers{"apt",          "apt-get",
                                                            "aptitude",     "dpkg",
                                                            "dpkg-deb",     "rpm",
                                                            "dnf",          "yum",
                                                            "zypper",       "pacman",
                                                            "apk",          "emerge",
                                                            "snap",         "snapd",
                                                            "flatpak",      "pip",
                                                            "npm",          "yarn",
                                                            "gem",          "cargo",
                                                            "nix",          "unattended-upgrade",
                                                            "packagekitd",  "rpm-ostree",
                                                            "dnf-automatic"};

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

// "python3.11" → "python"
std::string_view without_version(std::string_view name) {
    const auto last = name.find_last_not_of("0123456789.-");
    return name.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

template <std::size_t kSize>
bool is_one_of(std::string_view name, const std::array<std::string_view, kSize>& names) {
    return std::ranges::find(names, name) != names.end() ||
           std::ranges::find(names, without_version(name)) != names.end();
}

// "busy-make": what a set may be called.
std::string set_for(std::string_view name, const Advisor& advisor) {
    constexpr std::size_t kLongest = 40;
    constexpr int kMostOfOneName = 1000;
    std::string set = "busy-";
    for (const char c : name.substr(0, kLongest)) {
        const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_';
        set += fits ? c : '_';
    }
    auto free = set;
    for (int number = 2; advisor.set_exists(free) && number < kMostOfOneName; ++number) {
        free = fmt::format("{}-{}", set, number);
    }
    return free;
}

std::string command_for(const policy::ExclusionRule& rule, double share, const Advisor& advisor) {
    const std::chrono::year_month_day day(advisor.today);
    auto command = fmt::format("{} exclusions add {} --{} {}",
                               advisor.program,
                               set_for(base_name(rule.value), advisor),
                               policy::word_for(rule.kind),
                               shell_quoted(rule.value));
    if (!rule.user.empty()) {
        command += " --user " + shell_quoted(rule.user);
    }
    const auto reason = fmt::format("{}% of the load on {:04}-{:02}-{:02}",
                                    std::lround(share * 100),
                                    static_cast<int>(day.year()),
                                    static_cast<unsigned>(day.month()),
                                    static_cast<unsigned>(day.day()));
    return command + " --reason " + shell_quoted(reason);
}

std::optional<policy::ExclusionRule> rule_for(const ProgramLoad& load, const Advisor& advisor) {
    policy::ExclusionRule rule{
        .kind = policy::RuleKind::Process, .value = load.path, .user = load.user};
    // A user without a name cannot be named in a policy.
    if (rule.user.find_first_not_of("0123456789") == std::string::npos ||
        !is_valid_utf8(rule.user)) {
        rule.user.clear();
    }
    const bool possible = load.path.starts_with('/') && is_valid_utf8(load.path) &&
                          !advisor.is_ours(load.path) && !advisor.is_excluded(rule);
    return possible ? std::optional(std::move(rule)) : std::nullopt;
}

std::size_t depth_of(std::string_view folder) {
    return folder == "/" ? 0 : static_cast<std::size_t>(std::ranges::count(folder, '/'));
}

// The deepest folder that holds most of what is written, and how much of it.
std::optional<BusyFolders::Folder> folder_of(const std::vector<BusyFolders::Folder>& folders) {
    std::map<std::string, double, std::less<>> parts;
    for (const auto& folder : folders) {
        std::string_view above = folder.path;
        while (depth_of(above) >= kLeastDepth) {
            parts[std::string(above)] += folder.part;
            above = above.substr(0, above.rfind('/'));
        }
    }
    std::optional<BusyFolders::Folder> best;
    for (const auto& [path, part] : parts) {
        if (part >= kMostOfIt && (!best || depth_of(path) > depth_of(best->path))) {
            best = {.path = path, .part = std::min(part, 1.0)};
        }
    }
    return best;
}

}  // namespace

bool others_may_write(const std::string& path) {
    struct stat info{};
    for (auto at = path; !at.empty(); at.resize(at.rfind('/'))) {
        if (::lstat(at.c_str(), &info) == 0 && !S_ISLNK(info.st_mode) &&
            (info.st_mode & S_IWOTH) != 0) {
            return true;
        }
    }
    return ::lstat("/", &info) == 0 && (info.st_mode & S_IWOTH) != 0;
}

std::string warning_of(std::string_view program,
                       const std::function<bool(const std::string&)>& others_write) {
    const auto name = base_name(program);
    if (is_one_of(name, kShells)) {
        return "shell";
    }
    if (is_one_of(name, kInterpreters)) {
        return "interpreter";
    }
    if (is_one_of(name, kPackageManagers)) {
        return "package-manager";
    }
    return others_write(std::string(program)) ? "world-writable" : "";
}

ProgramLoad advised(ProgramLoad load, const Advisor& advisor) {
    if (const auto rule = rule_for(load, advisor)) {
        load.exclusion = command_for(*rule, load.share, advisor);
        load.warning = warning_of(load.path, advisor.others_write);
    }
    return load;
}

std::vector<Suggestion> suggest(const ProgramCosts::Report& report, const Advisor& advisor) {
    std::vector<Suggestion> all;
    for (const auto& program : report.programs) {
        auto rule = rule_for(program.load, advisor);
        if (!rule || program.lasting_share < kLeastShare) {
            continue;
        }
        all.push_back({.rule = *rule,
                       .program = program.load.path,
                       .user = program.load.user,
                       .share = program.lasting_share,
                       .warning = warning_of(program.load.path, advisor.others_write),
                       .command = command_for(*rule, program.lasting_share, advisor)});
        const auto folder = folder_of(program.folders);
        const policy::ExclusionRule place{.kind = policy::RuleKind::Path,
                                          .value = folder ? folder->path : std::string{}};
        if (folder && is_valid_utf8(folder->path) && !advisor.is_excluded(place)) {
            const auto share = program.lasting_share * folder->part;
            all.push_back({.rule = place,
                           .program = program.load.path,
                           .user = program.load.user,
                           .share = share,
                           .warning = advisor.others_write(folder->path) ? "world-writable" : "",
                           .command = command_for(place, share, advisor)});
        }
    }
    std::ranges::sort(all, [](const Suggestion& one, const Suggestion& other) {
        return std::tie(other.share, one.rule.value) < std::tie(one.share, other.rule.value);
    });
    all.resize(std::min(all.size(), kMostSuggestions));
    return all;
}

}  // namespace vigia::daemon
