// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/memory.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <ranges>
#include <utility>
#include <vector>

#include "host/mounts.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxFile = 65'536;
constexpr std::size_t kMaxMountinfo = std::size_t{8} * 1024 * 1024;
constexpr int kMaxDepth = 64;

bool parse_kilobytes(std::string_view text, std::uint64_t& bytes) {
    const auto number = take_word(text);
    const auto unit = take_word(text);
    if (!parse_number(number, bytes) || unit != "kB" ||
        bytes > std::numeric_limits<std::uint64_t>::max() / 1024) {
        return false;
    }
    bytes *= 1024;
    return true;
}

bool has_word(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        if (take_until(list, ',') == word) {
            return true;
        }
    }
    return false;
}

// A hierarchy as it is mounted, and where we stand in it.
struct Hierarchy {
    std::string folder;  // of the mount, without the first slash
    std::string place;   // below it: "a/b" or ""
    const char* file = nullptr;
    const char* events = nullptr;  // where kills for memory are counted
};

// The cgroup as seen below a mount that shows only a part of the hierarchy.
std::string place_below(std::string_view cgroup, std::string_view mount_root) {
    if (mount_root != "/" && cgroup.starts_with(mount_root)) {
        cgroup.remove_prefix(mount_root.size());
    }
    // "/../x": outside of our cgroup namespace, so nothing below the mount is above us.
    if (cgroup.starts_with("/..")) {
        cgroup = {};
    }
    const auto first = std::min(cgroup.find_first_not_of('/'), cgroup.size());
    return std::string(cgroup.substr(first));
}

void add_mounted(const std::vector<Mount>& mounts,
                 const CgroupPlaces& places,
                 std::vector<Hierarchy>& found) {
    for (const auto& mount : mounts) {
        const bool v2 = mount.type == "cgroup2" && places.v2;
        const bool v1 =
            mount.type == "cgroup" && places.v1_memory && has_word(mount.options, "memory");
        if (v1 || v2) {
            const auto& cgroup = v2 ? *places.v2 : *places.v1_memory;
            found.push_back({.folder = mount.point.substr(1),
                             .place = place_below(cgroup, mount.root),
                             .file = v2 ? "memory.max" : "memory.limit_in_bytes",
                             .events = v2 ? "memory.events" : "memory.oom_control"});
        }
    }
}

std::vector<Hierarchy> hierarchies(const Root& root) {
    CgroupPlaces places{.v1_memory = "/", .v2 = "/"};
    if (const auto text = root.read("proc/self/cgroup", kMaxFile)) {
        if (auto parsed = parse_cgroups(*text)) {
            places = *std::move(parsed);
        }
    }
    std::vector<Hierarchy> found;
    if (const auto text = root.read("proc/self/mountinfo", kMaxMountinfo)) {
        std::vector<std::string> ignored;
        add_mounted(parse_mountinfo(*text, ignored), places, found);
    }
    if (!found.empty()) {
        return found;
    }
    // The places that systemd mounts them at.
    const auto place = [](const std::optional<std::string>& cgroup) {
        return place_below(cgroup.value_or("/"), "/");
    };
    return {
        {"sys/fs/cgroup", place(places.v2), "memory.max", "memory.events"},
        {"sys/fs/cgroup/unified", place(places.v2), "memory.max", "memory.events"},
        {"sys/fs/cgroup/memory",
         place(places.v1_memory),
         "memory.limit_in_bytes",
         "memory.oom_control"},
    };
}

// The tightest limit from our cgroup up to the top of the mount. An error other than "not there" is
// the answer.
Result<> tighten(const Root& root, Hierarchy where, std::optional<CgroupLimit>& tightest) {
    for (int depth = 0; depth < kMaxDepth; ++depth) {
        const auto file = where.folder + (where.place.empty() ? "" : "/") + where.place + "/" +
                          std::string(where.file);
        const auto text = root.read(file, 256);
        if (!text && !is_missing(text.error())) {
            return std::unexpected(text.error());
        }
        if (text) {
            const auto limit = parse_cgroup_limit(*text);
            if (!limit) {
                return fail(std::errc::invalid_argument, "/" + file + ": " + limit.error());
            }
            if (*limit && (!tightest || **limit < tightest->bytes)) {
                tightest = CgroupLimit{.bytes = **limit, .file = "/" + file};
            }
        }
        if (where.place.empty()) {
            break;
        }
        const auto slash = where.place.find_last_of('/');
        where.place.resize(slash == std::string::npos ? 0 : slash);
    }
    return {};
}

Fact<std::optional<CgroupLimit>> cgroup_limit(const Root& root) {
    using Limit = Fact<std::optional<CgroupLimit>>;
    std::optional<CgroupLimit> tightest;
    for (const auto& hierarchy : hierarchies(root)) {
        if (const auto done = tighten(root, hierarchy, tightest); !done) {
            return Limit::unknown(done.error().context, "/" + hierarchy.folder);
        }
    }
    const auto source = tightest ? tightest->file : "no limit in the cgroups";
    return Limit::known(std::move(tightest), source);
}

}  // namespace

Parsed<Meminfo> parse_meminfo(std::string_view text) {
    Meminfo found;
    while (!text.empty()) {
        auto line = take_line(text);
        const auto name = take_until(line, ':');
        std::uint64_t bytes = 0;
        if (name == "MemTotal" && parse_kilobytes(line, bytes)) {
            found.total = bytes;
        } else if (name == "MemAvailable" && parse_kilobytes(line, bytes)) {
            found.available = bytes;
        }
    }
    if (found.total == 0) {
        return std::unexpected("it has no MemTotal");
    }
    return found;
}

Parsed<std::optional<std::uint64_t>> parse_cgroup_limit(std::string_view text) {
    text = trim(text);
    if (text == "max") {
        return std::nullopt;
    }
    std::uint64_t bytes = 0;
    if (!parse_number(text, bytes)) {
        return std::unexpected("it is neither a number nor max");
    }
    // v1 has no word for "none": it says LONG_MAX rounded down to a page, which may be of 64 KiB.
    constexpr std::uint64_t kNone =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - 65'536;
    return bytes >= kNone ? std::optional<std::uint64_t>{} : std::optional(bytes);
}

Parsed<std::uint64_t> parse_oom_kills(std::string_view text) {
    while (!text.empty()) {
        auto line = take_line(text);
        std::uint64_t count = 0;
        if (take_word(line) == "oom_kill" && parse_number(take_word(line), count)) {
            return count;
        }
    }
    return std::unexpected("it does not count oom_kill");
}

Fact<std::uint64_t> oom_kills(const Root& root) {
    using Count = Fact<std::uint64_t>;
    auto why = Count::unknown("no memory cgroup counts them", "/sys/fs/cgroup");
    for (const auto& where : hierarchies(root)) {
        const auto file = where.folder + (where.place.empty() ? "" : "/") + where.place + "/" +
                          std::string(where.events);
        const auto text = root.read(file, kMaxFile);
        if (!text) {
            continue;  // the controller is in the other hierarchy
        }
        const auto count = parse_oom_kills(*text);
        if (count) {
            return Count::known(*count, "/" + file);
        }
        why = Count::unknown(std::string(count.error()), "/" + file);
    }
    return why;
}

Parsed<CgroupPlaces> parse_cgroups(std::string_view text) {
    CgroupPlaces places;
    while (!text.empty()) {
        auto line = take_line(text);
        const auto number = take_until(line, ':');
        const auto controllers = take_until(line, ':');
        if (!line.starts_with('/')) {
            continue;
        }
        if (number == "0" && controllers.empty()) {
            places.v2 = std::string(line);
        } else if (has_word(controllers, "memory")) {
            places.v1_memory = std::string(line);
        }
    }
    if (!places.v1_memory && !places.v2) {
        return std::unexpected("it names no cgroup");
    }
    return places;
}

MemoryFacts memory(const Root& root) {
    using Bytes = Fact<std::uint64_t>;
    MemoryFacts facts;
    const auto meminfo = fact_from<Meminfo>(root, "proc/meminfo", kMaxFile, parse_meminfo);
    facts.limit = cgroup_limit(root);
    if (!meminfo.is_known()) {
        facts.total = Bytes::unknown(meminfo.why_unknown, meminfo.source);
        facts.available = facts.total;
        facts.usable = facts.total;
        return facts;
    }
    facts.total = Bytes::known(meminfo->total, meminfo.source);
    facts.available = meminfo->available ? Bytes::known(*meminfo->available, meminfo.source)
                                         : Bytes::unknown("it has no MemAvailable", meminfo.source);
    if (!facts.limit.is_known()) {
        facts.usable = Bytes::unknown(facts.limit.why_unknown, facts.limit.source);
    } else if (*facts.limit && (*facts.limit)->bytes < meminfo->total) {
        facts.usable = Bytes::known((*facts.limit)->bytes, (*facts.limit)->file);
    } else {
        facts.usable = facts.total;
    }
    return facts;
}

}  // namespace vigia::host
