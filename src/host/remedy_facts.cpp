// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/remedy_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace vigia::host {
namespace {

bool is_safe_word(std::string_view word) {
    return !word.empty() && word.front() != '-' && std::ranges::all_of(word, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-._+~:@=/").contains(c);
    });
}

PackageManager usual_manager(const Distribution& distribution) {
    switch (distribution.family) {
        case DistributionFamily::Redhat:
        case DistributionFamily::Oracle:
            return distribution.major_version == 7 || distribution.major_version == 6
                       ? PackageManager::Yum
                       : PackageManager::Dnf;
        case DistributionFamily::Amazon:  // "2" is the old one; its successor counts years
            return distribution.major_version < 2022 ? PackageManager::Yum : PackageManager::Dnf;
        case DistributionFamily::Suse:
            return PackageManager::Zypper;
        case DistributionFamily::Arch:
            return PackageManager::Pacman;
        case DistributionFamily::Debian:
        case DistributionFamily::Other:
            break;
    }
    return PackageManager::AptGet;
}

std::optional<PackageManager> manager_of(const HostFacts& facts) {
    if (facts.package_manager.is_known()) {
        return *facts.package_manager;
    }
    const bool known =
        facts.distribution.is_known() && facts.distribution->family != DistributionFamily::Other;
    return known ? std::optional(usual_manager(*facts.distribution)) : std::nullopt;
}

// Packages of one kernel are found by their exact version where the manager wants that.
std::string install_with(PackageManager manager, std::string_view packages) {
    switch (manager) {
        case PackageManager::AptGet:
            return fmt::format("apt-get install -y {}", packages);
        case PackageManager::Dnf:
            return fmt::format("dnf install -y {}", packages);
        case PackageManager::Yum:
            return fmt::format("yum install -y {}", packages);
        case PackageManager::Zypper:
            return fmt::format("zypper --non-interactive install {}", packages);
        case PackageManager::Pacman:
            return fmt::format("pacman -S --noconfirm {}", packages);
    }
    return {};
}

std::string reinstall_with(PackageManager manager, std::string_view package) {
    switch (manager) {
        case PackageManager::AptGet:
            return fmt::format("apt-get install -y --reinstall {}", package);
        case PackageManager::Dnf:
            return fmt::format("dnf reinstall -y {}", package);
        case PackageManager::Yum:
            return fmt::format("yum reinstall -y {}", package);
        case PackageManager::Zypper:
            return fmt::format("zypper --non-interactive install --force {}", package);
        case PackageManager::Pacman:
            return fmt::format("pacman -S --noconfirm {}", package);
    }
    return {};
}

// "5.14.21-150500.55.39-default": the flavour names the package, the rest is its version; zypper
// takes them with "=". The version of the package itself has a rebuild number more.
std::optional<std::string> suse_package(const std::string& release) {
    const auto hyphen = release.find_last_of('-');
    if (hyphen == std::string::npos || hyphen + 1 == release.size() ||
        release.find('-') == hyphen) {
        return std::nullopt;
    }
    return fmt::format("kernel-{}-devel={}", release.substr(hyphen + 1), release.substr(0, hyphen));
}

// "6.6.32-1-lts", "6.9.2-arch1-1", "6.9.2-zen1-1-zen", "6.9.2-hardened1-1-hardened".
std::string arch_package(std::string_view release) {
    for (const std::string_view flavour : {"lts", "zen", "hardened"}) {
        if (release.ends_with("-" + std::string(flavour))) {
            return fmt::format("linux-{}-headers", flavour);
        }
    }
    return "linux-headers";
}

std::string shell_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

}  // namespace

std::optional<std::string> headers_package(const HostFacts& facts, const KernelRelease& release) {
    if (!facts.distribution.is_known() || !is_safe_word(release.text)) {
        return std::nullopt;
    }
    switch (facts.distribution->family) {
        case DistributionFamily::Debian:
            return "linux-headers-" + release.text;
        case DistributionFamily::Redhat:
        case DistributionFamily::Oracle:
        case DistributionFamily::Amazon:
            return (release.is_uek ? "kernel-uek-devel-" : "kernel-devel-") + release.text;
        case DistributionFamily::Suse:
            return suse_package(release.text);
        case DistributionFamily::Arch:
            return arch_package(release.text);
        case DistributionFamily::Other:
            break;
    }
    return std::nullopt;
}

std::optional<std::string> install_command(const HostFacts& facts, std::string_view package) {
    const auto manager = manager_of(facts);
    if (!manager || !is_safe_word(package)) {
        return std::nullopt;
    }
    return install_with(*manager, package);
}

std::optional<std::string> reinstall_command(const HostFacts& facts, std::string_view package) {
    const auto manager = manager_of(facts);
    if (!manager || !is_safe_word(package)) {
        return std::nullopt;
    }
    return reinstall_with(*manager, package);
}

std::optional<std::string> install_headers_command(const HostFacts& facts, bool with_clang) {
    const auto manager = manager_of(facts);
    const auto package =
        facts.kernel.is_known() ? headers_package(facts, *facts.kernel) : std::nullopt;
    if (!manager || !package) {
        return std::nullopt;
    }
    const bool lacks_clang = facts.has_clang.is_known() && !*facts.has_clang;
    return install_with(*manager, *package + (with_clang && lacks_clang ? " clang" : ""));
}

std::optional<std::string> selinux_tools_package(const HostFacts& facts) {
    if (!facts.distribution.is_known()) {
        return std::nullopt;
    }
    const auto& distribution = *facts.distribution;
    switch (distribution.family) {
        case DistributionFamily::Redhat:
        case DistributionFamily::Oracle: {
            const bool old = distribution.id != "fedora" && distribution.major_version <= 7 &&
                             distribution.major_version != 0;
            return old ? "policycoreutils-python" : "policycoreutils-python-utils";
        }
        case DistributionFamily::Amazon:
            return distribution.major_version < 2022 ? "policycoreutils-python"
                                                     : "policycoreutils-python-utils";
        case DistributionFamily::Debian:
        case DistributionFamily::Suse:
        case DistributionFamily::Arch:
        case DistributionFamily::Other:
            break;
    }
    return "policycoreutils";
}

std::string selinux_module_command(const SelinuxFacts& selinux) {
    if (selinux.module.is_known() && *selinux.module == SelinuxModule::Disabled) {
        return "semodule -e vigia-bpf";
    }
    return "semodule -i /usr/share/vigia/selinux/vigia-bpf.pp";
}

std::vector<std::string> secure_boot_commands(const HostFacts& facts) {
    if (!facts.secure_boot.is_known() || *facts.secure_boot != SecureBoot::Enabled) {
        return {};
    }
    // mokutil asks for a password that the firmware's console wants at the next boot; the other way
    // is the firmware's own setup.
    return {
        "mokutil --sb-state", "mokutil --disable-validation", "systemctl reboot --firmware-setup"};
}

std::vector<std::string> scan_user_commands(const HostFacts& facts, bool has_sysusers) {
    const auto& name = facts.scan_user.name;
    if (!is_safe_word(name)) {
        return {};
    }
    const bool no_user = facts.scan_user.users.is_known() && facts.scan_user.users->empty();
    const bool no_group = facts.scan_user.groups.is_known() && facts.scan_user.groups->empty();
    if (!no_user && !no_group) {
        return {};
    }
    if (has_sysusers) {
        return {"systemd-sysusers vigia.conf"};
    }
    std::vector<std::string> commands;
    if (no_group) {
        commands.push_back("groupadd --system " + name);
    }
    if (no_user) {
        // The group is named: then USERGROUPS_ENAB of login.defs does not matter.
        commands.push_back(
            fmt::format("useradd --system --gid {0} --no-create-home --home-dir /nonexistent "
                        "--shell /usr/sbin/nologin {0}",
                        name));
    } else if (no_group) {
        commands.push_back(fmt::format("usermod --gid {0} {0}", name));
    }
    return commands;
}

std::vector<std::string> path_commands(const PathDeviation& deviation) {
    const auto path = shell_quoted(deviation.path);
    const auto& expected = deviation.expected;
    if (deviation.what != PathDeviation::What::WrongModeOrOwner || !deviation.found) {
        return {};
    }
    std::vector<std::string> commands;
    if (deviation.found->uid != expected.uid || deviation.found->gid != expected.gid) {
        commands.push_back(
            fmt::format("chown --no-dereference {}:{} {}", expected.uid, expected.gid, path));
    }
    // chown may clear the set-id bits, so the mode comes last.
    if (deviation.found->mode != expected.mode) {
        commands.push_back(fmt::format("chmod {:04o} {}", expected.mode, path));
    }
    return commands;
}

}  // namespace vigia::host
