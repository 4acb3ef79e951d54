// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vigia {

struct KernelVersion {
    unsigned major_number = 0;
    unsigned minor_number = 0;
    unsigned patch = 0;

    auto operator<=>(const KernelVersion&) const = default;
};

// "5.4.17-2136.330.7.1.el8uek.x86_64": what uname -r says.
struct KernelRelease {
    std::string text = {};
    KernelVersion version = {};
    // The numbers behind the first hyphen: 2136, 330, 7, 1. Vendors count their builds there.
    std::vector<unsigned> build = {};
    bool is_uek = false;            // Oracle's Unbreakable Enterprise Kernel
    std::string architecture = {};  // as the release names it; empty if it does not

    bool operator==(const KernelRelease&) const = default;
};

struct InstalledKernel {
    KernelRelease release = {};
    bool has_image = false;    // boot/vmlinuz-<release> or lib/modules/<release>/vmlinuz
    bool has_modules = false;  // lib/modules/<release>/

    bool operator==(const InstalledKernel&) const = default;
};

// The options we ask about, of one kernel's configuration: "y", "m", "n" or a text. One that the
// configuration does not name is not set, as in Kconfig: "n".
struct KernelConfig {
    std::map<std::string, std::string, std::less<>> options = {};

    // Built in or as a module.
    [[nodiscard]] bool enabled(std::string_view name) const {
        const auto found = options.find(name);
        return found != options.end() && found->second != "n";
    }

    bool operator==(const KernelConfig&) const = default;
};

// Type information of a kernel, which CO-RE programs are relocated with.
struct KernelBtf {
    bool present = false;
    std::string why_not = {};  // printable, when it is absent
    std::uint64_t size = 0;    // bytes, where it was read and not concluded from the configuration

    bool operator==(const KernelBtf&) const = default;
};

// Headers of one kernel. The paths are those of the examined root: they begin with "/".
struct KernelHeaders {
    bool found = false;
    std::string folder = {};  // where they are
    // What of a tree one can compile against is not there although headers were found; then BTF
    // cannot be derived from them.
    std::vector<std::string> lacks = {};
    std::vector<std::string> looked_in = {};       // each with what was there: "/x: dangling link"
    std::vector<std::string> found_releases = {};  // other releases whose headers are installed

    bool operator==(const KernelHeaders&) const = default;
};

}  // namespace vigia
