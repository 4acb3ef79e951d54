// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigia {

// One line of mountinfo (proc_pid_mountinfo(5)), names unescaped.
struct Mount {
    int id = 0;
    int parent = 0;
    dev_t device = 0;
    std::string root = {};   // of the mount inside its file system
    std::string point = {};  // in the mount namespace it was read from
    std::string type = {};   // "ext4", "overlay", …
    std::string source = {};
    std::string options = {};  // per mount and per file system, comma separated, still escaped
    bool read_only = false;
    // How to reach it from here: `point`, or "/proc/PID/root" + point in another mount namespace.
    std::string reach = {};
    bool other_namespace = false;

    bool operator==(const Mount&) const = default;
};

// A field of mountinfo without its escapes: \ooo, the kernel's way to write spaces, line ends and
// backslashes in names. What is no such escape stays as it is.
[[nodiscard]] std::string unescape_mount_field(std::string_view field);

// The value of `name=value` among the options, unescaped; nothing if it is not there.
[[nodiscard]] std::optional<std::string> mount_option(const Mount& mount, std::string_view name);

}  // namespace vigia
