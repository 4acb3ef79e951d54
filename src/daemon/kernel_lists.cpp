// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel side is to leave out, and which addresses it looks for.
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "base/text.h"
#include "daemon/kernel_monitor.h"
#include "sensors/fallback/proc_table.h"
#include "sensors/fallback/sock_diag.h"

namespace vigia::daemon {
namespace {

using sensors::KernelSensor;

std::optional<ProgramId> program_at(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) {
        return std::nullopt;
    }
    constexpr unsigned kMinorBits = 20;
    return ProgramId{
        .device = (std::uint64_t{major(found.st_dev)} << kMinorBits) | minor(found.st_dev),
        .inode = found.st_ino};
}

constexpr std::uint8_t kEstablished = 1;

bool same(const std::vector<KernelSensor::ProgramExclusion>& one,
          const std::vector<KernelSensor::ProgramExclusion>& other) {
    return std::ranges::equal(one, other, [](const auto& a, const auto& b) {
        return a.program == b.program && a.rule == b.rule && a.user == b.user &&
               a.children == b.children;
    });
}

pid_t pid_of(const ProcessInfo* process) {
    return process->who.key.pid;
}

// Itself, its parent, …
std::vector<const ProcessInfo*> line_in(const std::map<pid_t, ProcessInfo>& running, pid_t pid) {
    constexpr std::size_t kMost = 32;
    std::vector<const ProcessInfo*> line;
    for (auto at = running.find(pid); at != running.end() && line.size() < kMost;
         at = running.find(at->second.parent.pid)) {
        line.push_back(&at->second);
    }
    return line;
}

}  // namespace

// Those in force whose program and user exist. The number of a rule is its place among all.
std::vector<KernelSensor::ProgramExclusion> KernelMonitor::excluded_by(const Policy& policy) {
    std::vector<KernelSensor::ProgramExclusion> programs;
    const auto now = options_.reporter.now();
    std::uint32_t rule = 0;
    for (const auto& set : policy.exclusions) {
        const bool in_force = !set.expires || WallTime{*set.expires} > now;
        for (const auto& process : set.processes) {
            ++rule;
            const auto program = in_force ? program_at(process.path) : std::nullopt;
            const auto user =
                process.user.empty() ? std::optional<uid_t>{} : who_.uid_of(process.user);
            if (program && (process.user.empty() || user)) {
                programs.push_back({.program = *program,
                                    .rule = rule,
                                    .user = user,
                                    .children = process.children});
            }
        }
    }
    return programs;
}

// By file, as the kernel sees it: looked up again now and then, because updates replace files.
void KernelMonitor::exclude_programs(const PolicyInForce& policy) {
    const auto sensor = rungs_.sensor;
    if (!sensor && !rungs_.polling) {
        return;
    }
    auto programs = excluded_by(*policy.policy);
    if (excluded_known_ && same(programs, excluded_)) {
        return;
    }
    if (rungs_.polling) {
        rungs_.polling->set_excluded_programs(programs);
    }
    if (sensor) {
        if (const auto set = sensor->set_excluded_programs(programs); !set) {
            log::error("exclusions of programs: " + set.error().message());
            return;
        }
    }
    excluded_ = std::move(programs);
    excluded_known_ = true;
    if (sensor) {
        exclude_running(*sensor);
    }
}

// What runs already, our own children among it: the kernel side looks at programs when they begin.
void KernelMonitor::exclude_running(KernelSensor& sensor) {
    std::map<pid_t, ProcessInfo> running;
    for (const auto pid : sensors::list_pids()) {
        if (auto process = sensors::read_process(pid); process && !process->kernel_thread) {
            running.emplace(pid, std::move(*process));
        }
    }
    for (const auto& [pid, process] : running) {
        const auto line = line_in(running, pid);
        const bool ours = std::ranges::find(line, ::getpid(), pid_of) != line.end();
        const auto rule = std::ranges::find_if(excluded_, [&](const auto& one) {
            const auto is = [&](const ProcessInfo* candidate) {
                return candidate->who.program == one.program &&
                       (!one.user || *one.user == candidate->who.uid);
            };
            return one.children ? std::ranges::any_of(line, is) : is(line.front());
        });
        if (pid == ::getpid()) {
            continue;
        }
        if (ours) {
            (void)sensor.exclude(pid, 0, true);
        } else if (rule != excluded_.end()) {
            (void)sensor.exclude(pid, rule->rule, rule->children);
        } else {
            (void)sensor.include(pid);
        }
    }
}

void KernelMonitor::watch_feeds(const Policy::Network& network) {
    auto folders = AddressFeeds::folders(network);
    constexpr std::uint32_t kMask =
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;
    for (const auto& folder : folders) {
        // The same folder again changes nothing; one that has come back is watched again.
        (void)::inotify_add_watch(inotify_.get(), folder.c_str(), kMask);
    }
    watched_ = std::move(folders);
}

void KernelMonitor::load_lists(const Policy::Network& network) {
    const bool other = feeds_.refresh(network, options_.reporter.now());
    const auto sensor = rungs_.sensor;
    const bool by_kernel = sensor && rungs_.network.starts_with("ebpf");
    if (!other && lists_loaded_) {
        return;
    }
    if (!other) {
        feeds_ = {};  // a sensor that is new needs what the one before was given
        (void)feeds_.refresh(network, options_.reporter.now());
    }
    lists_loaded_ = true;
    std::string error;
    auto lists = feeds_.take();
    const bool any = !lists.block.empty();
    sensors::AddressTable table;
    if (!by_kernel || rungs_.network != "ebpf-btf") {
        table = sensors::AddressTable(lists);  // without iterators the kernel does not look back
    }
    if (by_kernel) {
        activity_.set_lists({});
        if (const auto set = sensor->set_lists(std::move(lists)); !set) {
            error = set.error().message();
            log::error("lists of addresses: " + error);
        }
    } else {
        activity_.set_lists(std::move(lists));
    }
    if (error.empty() && any) {
        match_existing(network, table);
    }
    bool same_files = false;
    {
        const std::scoped_lock lock(mutex_);
        same_files = !other && files_.size() == feeds_.files().size();
        files_ = feeds_.files();
        lists_error_ = std::move(error);
    }
    if (!same_files) {
        tell_lists();
    }
    options_.on_change();
}

// Connections that were there before the list.
void KernelMonitor::match_existing(const Policy::Network& network,
                                   const sensors::AddressTable& table) {
    const auto sensor = rungs_.sensor;
    const bool by_kernel = sensor && rungs_.network.starts_with("ebpf");
    std::vector<FlowEvent> open;
    if (auto found = by_kernel ? sensor->sockets() : std::vector<FlowEvent>{};
        found && rungs_.network == "ebpf-btf") {
        open = std::move(*found);
    } else {
        open = sensors::open_sockets();
        for (auto& flow : open) {
            flow.listed = flow.tcp_state == kEstablished && table.is_blocked(flow.remote.address);
        }
    }
    const bool refused = by_kernel && network.mode == NetworkMode::Block;
    for (const auto& flow : open) {
        const bool ours = flow.owner.key.pid == ::getpid();
        const bool left_out = !network.loopback && flow.remote.address.is_loopback();
        if (flow.listed && !ours && !left_out) {
            activity_.on_listed(flow, refused);
        }
    }
}

void KernelMonitor::tell_lists() {
    for (const auto& file : feeds_.files()) {
        std::string lines;
        for (const auto& bad : file.bad_lines) {
            lines += fmt::format(
                "{}line {}: '{}': {}", lines.empty() ? "" : "\n", bad.line, bad.text, bad.why);
        }
        const bool flawed = file.bad > 0 || !file.error.empty();
        auto message =
            file.error.empty()
                ? fmt::format("{}: {} networks loaded, {} ended, {} lines not understood",
                              printable(file.path),
                              file.prefixes,
                              file.expired,
                              file.bad)
                : fmt::format("{} cannot be read: {}", printable(file.path), file.error);
        options_.reporter.service(ServiceAction::AddressesLoaded,
                                  flawed ? Severity::Minor : Severity::Informational,
                                  std::move(message),
                                  {{"file", file.path},
                                   {"list", file.blocks ? "block" : "allow"},
                                   {"networks", std::to_string(file.prefixes)},
                                   {"ended", std::to_string(file.expired)},
                                   {"skipped", std::to_string(file.bad)},
                                   {"lines", lines},
                                   {"error", file.error}});
    }
}

}  // namespace vigia::daemon
