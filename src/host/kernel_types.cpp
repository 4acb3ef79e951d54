// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/kernel_types.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "host/kernel_release.h"

namespace vigia::host {
namespace {

constexpr std::string_view kBtf = "sys/kernel/btf/vmlinux";
constexpr std::size_t kMaxFoundReleases = 64;

Fact<KernelBtf> btf_by_config(const Fact<KernelConfig>& config) {
    if (!config.is_known()) {
        return Fact<KernelBtf>::unknown("its configuration is not known: " + config.why_unknown);
    }
    const bool set = config->enabled("CONFIG_DEBUG_INFO_BTF");
    return Fact<KernelBtf>::known(
        {.present = set, .why_not = set ? "" : "CONFIG_DEBUG_INFO_BTF is not set"}, config.source);
}

// The file is not there. Where sysfs is not either, that says nothing about the kernel.
Fact<KernelBtf> btf_without_file(const Root& root, const Fact<KernelConfig>& config) {
    const bool has_sysfs = root.exists("sys/kernel").value_or(false);
    if (!has_sysfs && config.is_known() && config->enabled("CONFIG_DEBUG_INFO_BTF")) {
        return btf_by_config(config);
    }
    return Fact<KernelBtf>::known(
        {.present = false, .why_not = "there is no /sys/kernel/btf/vmlinux"},
        "/" + std::string(kBtf));
}

// What a place where headers may be is like; nothing in `why_not`: it holds headers.
struct Place {
    std::string why_not = {};
    std::string other_release =
        {};  // of the headers found there, when it is not the one asked about
};

std::optional<std::string> release_of_tree(const Root& root, const std::string& folder) {
    for (const auto* file : {"/include/config/kernel.release", "/include/generated/utsrelease.h"}) {
        if (const auto text = root.read(folder + file, 4096)) {
            if (auto release = parse_utsrelease(*text)) {
                return *std::move(release);
            }
        }
    }
    return std::nullopt;
}

std::string describe_missing(const Root& root, const std::string& path) {
    const auto target = root.link_target(path);
    return target ? "a link that leads nowhere: " + printable(*target) : "not there";
}

// Errors other than "not there" make the whole answer unknown.
Result<Place> look_at(const Root& root, const std::string& path, std::string_view release) {
    const auto status = root.status(path);
    if (!status && is_missing(status.error())) {
        return Place{.why_not = describe_missing(root, path)};
    }
    if (!status && status.error().code == std::errc::too_many_symbolic_link_levels) {
        return Place{.why_not = "a loop of links"};
    }
    if (!status) {
        return std::unexpected(status.error());
    }
    if (!S_ISDIR(status->st_mode)) {
        return Place{.why_not = "not a folder"};
    }
    const auto names = TRY(root.list(path));
    if (names.empty()) {
        return Place{.why_not = "an empty folder"};
    }
    if (auto other = release_of_tree(root, path); other && *other != release) {
        return Place{.why_not = "headers of " + *other, .other_release = *other};
    }
    return Place{};
}

// What a file that includes linux/sched.h needs to be compiled.
std::vector<std::string> lacking(const Root& root,
                                 const std::string& folder,
                                 const std::string& release) {
    std::vector<std::string> lacks;
    if (!root.exists(folder + "/include/generated/autoconf.h").value_or(false)) {
        lacks.emplace_back("include/generated/autoconf.h");
    }
    // Debian and SUSE keep what is common to all flavours in a second tree, linked as "source".
    const bool has_sources =
        root.exists(folder + "/include/linux").value_or(false) ||
        root.exists("lib/modules/" + release + "/source/include/linux").value_or(false);
    if (!has_sources) {
        lacks.emplace_back("include/linux");
    }
    return lacks;
}

void note_release(std::set<std::string>& found, std::string_view name, std::string_view release) {
    // Debian's folder of what all flavours share is no release of its own.
    if (name == release || name.ends_with("-common") || found.size() >= kMaxFoundReleases) {
        return;
    }
    if (const auto parsed = parse_kernel_release(name); parsed && parsed->text == name) {
        found.insert(parsed->text);
    }
}

// Ubuntu's shared part is named like a release without its flavour: "5.15.0-105".
void drop_shared_parts(std::set<std::string>& found, std::string_view release) {
    std::erase_if(found, [&](const std::string& name) {
        const auto prefix = name + "-";
        return release.starts_with(prefix) || std::ranges::any_of(found, [&](const auto& other) {
                   return other.starts_with(prefix);
               });
    });
}

std::set<std::string> other_releases(const Root& root, const std::string& release) {
    constexpr std::string_view kDebian = "linux-headers-";
    std::set<std::string> found;
    for (const auto& name : root.list("usr/src").value_or(std::vector<std::string>{})) {
        if (name.starts_with(kDebian)) {
            note_release(found, std::string_view(name).substr(kDebian.size()), release);
        }
    }
    for (const auto& name : root.list("usr/src/kernels").value_or(std::vector<std::string>{})) {
        note_release(found, name, release);
    }
    for (const auto& name : root.list("lib/modules").value_or(std::vector<std::string>{})) {
        const auto build = look_at(root, "lib/modules/" + name + "/build", name);
        if (build && build->why_not.empty()) {
            note_release(found, name, release);
        }
    }
    return found;
}

}  // namespace

bool begins_as_btf(std::string_view bytes) {
    // BTF_MAGIC 0xeB9F of linux/btf.h, as a little- or a big-endian machine writes it.
    return bytes.starts_with("\x9f\xeb") || bytes.starts_with("\xeb\x9f");
}

Fact<KernelBtf> kernel_btf(const Root& root, const Fact<KernelConfig>& config, bool is_running) {
    if (!is_running) {
        return btf_by_config(config);
    }
    const std::string source = "/" + std::string(kBtf);
    const auto start = root.read_start(kBtf, 2);
    if (!start && is_missing(start.error())) {
        return btf_without_file(root, config);
    }
    if (!start) {
        return Fact<KernelBtf>::unknown(start.error().message(), source);
    }
    if (!begins_as_btf(*start)) {
        return Fact<KernelBtf>::unknown(source + " does not begin as BTF does", source);
    }
    const auto status = root.status(kBtf);
    const auto size = status ? static_cast<std::uint64_t>(status->st_size) : 0;
    return Fact<KernelBtf>::known({.present = true, .size = size}, source);
}

Parsed<std::string> parse_utsrelease(std::string_view text) {
    if (const auto quote = text.find('"'); quote != std::string_view::npos) {
        text.remove_prefix(quote + 1);
        text = text.substr(0, text.find('"'));
    }
    auto release = parse_kernel_release(text);
    if (!release) {
        return std::unexpected(std::move(release).error());
    }
    return std::move(release->text);
}

Fact<KernelHeaders> kernel_headers(const Root& root, const KernelRelease& release) {
    KernelHeaders headers;
    std::set<std::string> others = other_releases(root, release.text);
    for (const auto& path : {"lib/modules/" + release.text + "/build",
                             "usr/src/linux-headers-" + release.text,
                             "usr/src/kernels/" + release.text}) {
        const auto place = look_at(root, path, release.text);
        if (!place) {
            return Fact<KernelHeaders>::unknown(place.error().message(), "/" + path);
        }
        if (!place->other_release.empty()) {
            note_release(others, place->other_release, release.text);
        }
        headers.looked_in.push_back("/" + path + ": " +
                                    (place->why_not.empty() ? "headers" : place->why_not));
        if (place->why_not.empty() && !headers.found) {
            headers.found = true;
            headers.folder = "/" + path;
            headers.lacks = lacking(root, path, release.text);
        }
    }
    drop_shared_parts(others, release.text);
    headers.found_releases.assign(others.begin(), others.end());
    const auto source = headers.found ? headers.folder : "/lib/modules, /usr/src";
    return Fact<KernelHeaders>::known(std::move(headers), source);
}

}  // namespace vigia::host
