// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/host_facts.h"

// What to type on *this* host, from its facts. Pure functions. A command is one line for root's
// shell, complete and safe to paste: nothing that came from a file goes into it unless it consists
// of letters, digits and -._+~:@ only. Nothing is returned where the host is not known well enough;
// then there is no honest command, and the text of the remedy has to do.
namespace vigia::host {

// The package that holds the headers of that release: "linux-headers-6.1.0-13-amd64",
// "kernel-devel-…", "kernel-uek-devel-…", "kernel-default-devel=5.14.21-150500.55.39",
// "linux-lts-headers".
[[nodiscard]] std::optional<std::string> headers_package(const HostFacts& facts,
                                                         const KernelRelease& release);

[[nodiscard]] std::optional<std::string> install_command(const HostFacts& facts,
                                                         std::string_view package);

// Puts a package in again although it is there, so that its files are as they were.
[[nodiscard]] std::optional<std::string> reinstall_command(const HostFacts& facts,
                                                           std::string_view package);

// The headers of the kernel examined, and clang where it is wanted and missing, in one command.
[[nodiscard]] std::optional<std::string> install_headers_command(const HostFacts& facts,
                                                                 bool with_clang);

// The package with the tools that install an SELinux module.
[[nodiscard]] std::optional<std::string> selinux_tools_package(const HostFacts& facts);

// Installs or re-enables our module, as the store needs it.
[[nodiscard]] std::string selinux_module_command(const SelinuxFacts& selinux);

// How to see and change Secure Boot; empty where it is not known to be on.
[[nodiscard]] std::vector<std::string> secure_boot_commands(const HostFacts& facts);

// Makes what is missing of the scan user and group: systemd-sysusers where it is there.
[[nodiscard]] std::vector<std::string> scan_user_commands(const HostFacts& facts,
                                                          bool has_sysusers);

// Puts one path of ours right again. Nothing for one that chmod and chown cannot mend.
[[nodiscard]] std::vector<std::string> path_commands(const PathDeviation& deviation);

}  // namespace vigia::host
