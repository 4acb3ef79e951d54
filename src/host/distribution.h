// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/distribution.h"

namespace vigia::host {

// os-release(5): shell-like assignments, quoted or not.
[[nodiscard]] Parsed<Distribution> parse_os_release(std::string_view text);

// etc/os-release, else usr/lib/os-release.
[[nodiscard]] Fact<Distribution> distribution(const Root& root);

// The first of dnf, yum, apt-get, zypper and pacman whose program is there; that of the
// distribution before the others, since some carry a foreign one as a tool.
[[nodiscard]] Fact<PackageManager> package_manager(const Root& root,
                                                   const Fact<Distribution>& distribution);

// Whether some program of that name is in a usual folder of programs, and where.
[[nodiscard]] Fact<bool> has_program(const Root& root, std::string_view name);

// clang or clang-N in usr/bin or usr/local/bin: what compiles BTF out of headers.
[[nodiscard]] Fact<bool> has_clang(const Root& root);

}  // namespace vigia::host
