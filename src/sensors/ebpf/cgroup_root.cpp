// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/cgroup_root.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "model/mount.h"

namespace vigia::sensors {
namespace {

// The inode of /proc/self/ns/cgroup in the initial namespace: PROC_CGROUP_INIT_INO in the kernel's
// include/linux/proc_ns.h.
constexpr std::string_view kInitialNamespace = "cgroup:[4026531835]";

// `a b c` → c for index 2; empty if there are fewer.
std::string_view field(std::string_view line, int index) {
    for (; index > 0; --index) {
        const auto space = line.find(' ');
        if (space == std::string_view::npos) {
            return {};
        }
        line.remove_prefix(space + 1);
    }
    return line.substr(0, line.find(' '));
}

}  // namespace

std::optional<std::string> find_cgroup_root(std::string_view mountinfo) {
    while (!mountinfo.empty()) {
        const auto line = mountinfo.substr(0, mountinfo.find('\n'));
        mountinfo.remove_prefix(std::min(mountinfo.size(), line.size() + 1));
        const bool is_v2 = line.find(" - cgroup2 ") != std::string_view::npos;
        if (is_v2 && field(line, 3) == "/") {
            return unescape_mount_field(field(line, 4));
        }
    }
    return std::nullopt;
}

bool in_initial_cgroup_namespace() {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/ns/cgroup", error).native() ==
           kInitialNamespace;
}

}  // namespace vigia::sensors
