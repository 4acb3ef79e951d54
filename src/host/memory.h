// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/resources.h"

namespace vigia::host {

struct Meminfo {
    std::uint64_t total = 0;                      // bytes
    std::optional<std::uint64_t> available = {};  // bytes; kernels before 3.14 do not say

    bool operator==(const Meminfo&) const = default;
};

// proc/meminfo
[[nodiscard]] Parsed<Meminfo> parse_meminfo(std::string_view text);

// memory.max or memory.limit_in_bytes; nothing for "max" and for the huge number v1 says instead.
[[nodiscard]] Parsed<std::optional<std::uint64_t>> parse_cgroup_limit(std::string_view text);

// Where a process stands, from its cgroup file: "/a/b" in the hierarchy of the memory controller.
struct CgroupPlaces {
    std::optional<std::string> v1_memory = {};
    std::optional<std::string> v2 = {};

    bool operator==(const CgroupPlaces&) const = default;
};

[[nodiscard]] Parsed<CgroupPlaces> parse_cgroups(std::string_view text);

// Both hierarchies, from our own cgroup (proc/self/cgroup) up to the mount; where that file is not
// there, the top folders below sys/fs/cgroup.
[[nodiscard]] MemoryFacts memory(const Root& root);

// How many processes of our cgroup (or below it) the kernel has killed for memory so far: the
// number after `oom_kill` in memory.events (v2) or memory.oom_control (v1, Linux 4.13).
[[nodiscard]] Parsed<std::uint64_t> parse_oom_kills(std::string_view text);
[[nodiscard]] Fact<std::uint64_t> oom_kills(const Root& root);

}  // namespace vigia::host
