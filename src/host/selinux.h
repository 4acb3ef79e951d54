// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/security.h"

namespace vigia::host {

struct SelinuxConfig {
    SelinuxState state = SelinuxState::Disabled;
    std::string type = "targeted";  // what libselinux takes where SELINUXTYPE is not set

    bool operator==(const SelinuxConfig&) const = default;
};

// etc/selinux/config
[[nodiscard]] Parsed<SelinuxConfig> parse_selinux_config(std::string_view text);

// "0" or "1" of selinuxfs.
[[nodiscard]] Parsed<SelinuxState> parse_enforce(std::string_view text);

// The value of SELinuxContext= in a unit file; nothing if it has none.
[[nodiscard]] Parsed<std::string> parse_unit_context(std::string_view text);

struct SelinuxOptions {
    // The context that bpf(2) will be called from. Empty: what the unit of the service says, else
    // where it is started from (live), else unconfined_service_t, which the seed's rule names.
    std::string context = {};
    std::string unit = "vigiad.service";
    std::string program = "usr/sbin/vigiad";
    std::string module = "vigia-bpf";
};

// Of a live root the kernel decides (selinuxfs); else libsepol over the newest policy file, in a
// child, since that library was not made for hostile files; else the module store: without a policy
// the rule is there if our module is installed and not disabled.
// A domain that the policy makes permissive counts as allowed only where the kernel says so.
[[nodiscard]] SelinuxFacts selinux(const Root& root, const SelinuxOptions& options);

}  // namespace vigia::host
