// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/fact.h"

namespace vigia {

// kernel_lockdown(7). Absent: this kernel has no lockdown.
enum class Lockdown : std::uint8_t { Absent, None, Integrity, Confidentiality };

enum class SecureBoot : std::uint8_t { NotEfi, Disabled, Enabled };

enum class SelinuxState : std::uint8_t { Absent, Disabled, Permissive, Enforcing };

enum class SelinuxModule : std::uint8_t { NotInstalled, Disabled, Installed };

// May our domain use bpf(2) as the seed's rule says?
struct SelinuxBpfRule {
    enum class By : std::uint8_t { Kernel, PolicyFile, ModuleStore };

    bool allowed = false;
    std::vector<std::string> denied =
        {};  // of map_create, map_read, map_write, prog_load, prog_run
    By by = By::Kernel;

    bool operator==(const SelinuxBpfRule&) const = default;
};

struct SelinuxFacts {
    Fact<SelinuxState> state = {};       // now; of a root that does not run: what it will boot into
    Fact<SelinuxState> configured = {};  // SELINUX= of etc/selinux/config
    Fact<std::string> type = {};         // SELINUXTYPE=, "targeted"
    Fact<std::string> domain = {};       // the context asked about; source says why this one
    Fact<SelinuxBpfRule> bpf_rule = {};  // unknown unless enforcing or permissive
    Fact<SelinuxModule> module = {};     // vigia-bpf in the module store
    Fact<bool> has_tools = {};           // semodule is there
};

// Sets of capabilities(7), by number.
struct CapabilitySets {
    std::uint64_t effective = 0;
    std::uint64_t bounding = 0;

    bool operator==(const CapabilitySets&) const = default;
};

}  // namespace vigia
